import { expect, test } from "vitest";
import type { Refund } from "../api/types";
import { describeRefund } from "./refund";

const refund: Refund = { amount: "12.50", reason: "refunded_at_stripe", at: "2026-11-27T10:00:00Z" };

test("a refund is described with amount, recipient, date and reason", () => {
  const inEnglish = { currency: "usd", language: "en-US" };
  expect(describeRefund(refund, { ...inEnglish, to: "your card" })).toBe(
    "$12.50 was returned to your card on Nov 27, 2026.",
  );
  expect(
    describeRefund({ ...refund, reason: "dispute_lost" }, { ...inEnglish, to: "the buyer’s card" }),
  ).toBe("$12.50 was returned to the buyer’s card on Nov 27, 2026, after a dispute with the bank.");
});
