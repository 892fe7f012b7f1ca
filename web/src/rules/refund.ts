import type { Refund } from "../api/types";
import { asDay } from "./date";
import { asPrice } from "./price";

const REASONS: Record<Refund["reason"], string> = {
  refunded_at_stripe: "",
  dispute_lost: ", after a dispute with the bank",
};

/** How much went back, where to, when and why. */
export function refundInWords(
  { amount, reason, at }: Refund,
  { currency, to, language }: { currency: string; to: "your card" | "the buyer’s card"; language?: string },
): string {
  return `${asPrice(amount, currency, language)} went back to ${to} on ${asDay(at, language)}${REASONS[reason]}.`;
}
