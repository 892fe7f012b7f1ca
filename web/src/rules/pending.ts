import type { OwnTicket } from "../api/types";
import { asPrice } from "./price";

/** What a change will make of a ticket, once it is decided. Its title keeps its own direction (FSI and PDI). */
export function pendingInWords(
  ticket: Pick<OwnTicket, "title" | "price" | "currency">,
  pending: NonNullable<OwnTicket["pendingChange"]>,
  language?: string,
): string {
  if (pending.withdrawn) return "To be taken off sale.";
  const changes = [
    pending.title !== ticket.title && `“\u2068${pending.title}\u2069”`,
    pending.price !== ticket.price && asPrice(pending.price, ticket.currency, language),
  ].filter(Boolean);
  return changes.length === 0 ? "To stay as it is." : `To become ${changes.join(", for ")}.`;
}
