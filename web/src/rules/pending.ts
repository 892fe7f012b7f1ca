import type { OwnTicket } from "../api/types";
import { formatPrice } from "./price";

/** A pending change in words. The title is isolated (FSI, PDI), so that right-to-left text does not affect the rest. */
export function describePendingChange(
  ticket: Pick<OwnTicket, "title" | "price" | "currency">,
  pending: NonNullable<OwnTicket["pendingChange"]>,
  language?: string,
): string {
  if (pending.withdrawn) return "It will be withdrawn.";
  const changes = [
    pending.title !== ticket.title && `New title: “\u2068${pending.title}\u2069”.`,
    pending.price !== ticket.price && `New price: ${formatPrice(pending.price, ticket.currency, language)}.`,
  ].filter(Boolean);
  return changes.length === 0 ? "Nothing will change." : changes.join(" ");
}
