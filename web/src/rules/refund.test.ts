import { expect, test } from "vitest";
import type { Refund } from "../api/types";
import { refundInWords } from "./refund";

const refund: Refund = { amount: "12.50", reason: "refunded_at_stripe", at: "2026-11-27T10:00:00Z" };

test("a refund says how much went back, where to, when, and why where that is not plain", () => {
  const inEnglish = { currency: "usd", language: "en-US" };
  expect(refundInWords(refund, { ...inEnglish, to: "your card" })).toBe(
    "$12.50 went back to your card on Nov 27, 2026.",
  );
  expect(refundInWords({ ...refund, reason: "dispute_lost" }, { ...inEnglish, to: "the buyer’s card" })).toBe(
    "$12.50 went back to the buyer’s card on Nov 27, 2026, after a dispute with the bank.",
  );
});
