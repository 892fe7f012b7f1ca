import type { OwnTicket } from "../api/types";
import { decimalPlaces, fromMinorUnits, toMinorUnits } from "./money";
import { codePointCount, hasControlCharacters } from "./text";

/** How long a refund may take to appear at the buyer's bank: Stripe, "Refund and cancel payments". */
export const REFUND_TAKES = "It can take 5 to 10 days to appear on your statement.";

/** What the buyer of a ticket has not got back yet, as a decimal string. */
export function leftToRefund({ price, refund }: Pick<OwnTicket, "price" | "refund">): string {
  const decimals = decimalPlaces(price);
  const left = toMinorUnits(price, decimals) - toMinorUnits(refund?.amount ?? "0", decimals);
  return fromMinorUnits(left, decimals);
}

export function isRefundable(ticket: Pick<OwnTicket, "price" | "refund">): boolean {
  return /[1-9]/.test(leftToRefund(ticket));
}

const MAX_REASON = 500;

/** The error message for a reason that the server would refuse, with its length counted as the server counts it. */
export function reasonError(reason: string): string | undefined {
  const length = codePointCount(reason.trim());
  if (length === 0) return "Give a reason.";
  if (length > MAX_REASON) return `Use at most ${MAX_REASON} characters. This reason has ${length}.`;
  if (hasControlCharacters(reason))
    return "Remove invisible control characters. Typing the reason again removes them.";
  return undefined;
}
