import type { Refund } from "../api/types";
import { formatDate } from "./date";
import { formatPrice } from "./price";

const REASONS: Record<Refund["reason"], string> = {
  refunded_at_stripe: "",
  refunded_by_seller: "",
  dispute_lost: ", after a dispute with the bank",
};

/** A refund in words: amount, recipient, date and, if it was a dispute, the reason. */
export function describeRefund(
  { amount, reason, at }: Refund,
  { currency, to, language }: { currency: string; to: "your card" | "the buyer’s card"; language?: string },
): string {
  const price = formatPrice(amount, currency, language);
  return `${price} was returned to ${to} on ${formatDate(at, language)}${REASONS[reason]}.`;
}
