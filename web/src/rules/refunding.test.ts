import { expect, test } from "vitest";
import type { Refund } from "../api/types";
import { isRefundable, leftToRefund, reasonError } from "./refunding";

const refundOf = (amount: string): Refund => ({
  amount,
  reason: "refunded_at_stripe",
  at: "2026-11-27T10:00:00Z",
});

test("a refund of a part leaves the rest to refund", () => {
  expect(leftToRefund({ price: "45.00" })).toBe("45.00");
  expect(leftToRefund({ price: "45.00", refund: refundOf("12.55") })).toBe("32.45");
  expect(leftToRefund({ price: "500", refund: refundOf("100") })).toBe("400");
});

test("what was refunded in full is not refundable", () => {
  expect(isRefundable({ price: "45.00", refund: refundOf("44.99") })).toBe(true);
  expect(isRefundable({ price: "45.00", refund: refundOf("45.00") })).toBe(false);
});

test("a reason has 1 to 500 characters, none of them a control character", () => {
  expect(reasonError("I fell ill 🤒")).toBeUndefined();
  expect(reasonError("🤒".repeat(500))).toBeUndefined();
  expect(reasonError("🤒".repeat(501))).toBe("Use at most 500 characters. This reason has 501.");
  expect(reasonError("  ")).toBe("Give a reason.");
  expect(reasonError("a\u202eb")).toMatch(/control characters/);
});
