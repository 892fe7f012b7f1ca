import { describe, expect, test } from "vitest";
import type { Order, Payment } from "../api/types";
import {
  type Confirmation,
  cancellationReason,
  describeMoney,
  describeRefunding,
  hadNoEffect,
  isWithoutTicket,
  orderLabel,
  orderState,
  pollInterval,
} from "./order";

const order = (status: Order["status"]) => ({ status }) as Order;
const payment = (status: Payment["status"]) => ({ status }) as Payment;

function stateOf(
  status: Order["status"],
  known: { payment?: Payment["status"]; confirmation?: Confirmation["kind"]; hasLapsed?: boolean } = {},
) {
  return orderState({
    order: order(status),
    payment: known.payment && payment(known.payment),
    confirmation: { lostAt: 0, kind: known.confirmation ?? "none" } as Confirmation,
    hasLapsed: known.hasLapsed ?? false,
  });
}

describe("order state", () => {
  test("payable until the deadline", () => {
    expect(stateOf("created")).toBe("payable");
    expect(stateOf("created", { payment: "open" })).toBe("payable");
    expect(stateOf("created", { hasLapsed: true })).toBe("lapsed");
    expect(stateOf("created", { payment: "open", hasLapsed: true })).toBe("lapsed");
  });

  test("confirming after an accepted card, even past the deadline", () => {
    expect(stateOf("created", { confirmation: "accepted" })).toBe("confirming");
    expect(stateOf("created", { confirmation: "accepted", hasLapsed: true })).toBe("confirming");
    expect(stateOf("created", { payment: "authorized", hasLapsed: true })).toBe("confirming");
    expect(stateOf("awaiting:payment", { hasLapsed: true })).toBe("confirming");
  });

  test("checking after a lost response, until the server has decided", () => {
    expect(stateOf("created", { confirmation: "unknown" })).toBe("checking");
    expect(stateOf("created", { confirmation: "unknown", payment: "open", hasLapsed: true })).toBe(
      "checking",
    );
    expect(stateOf("created", { confirmation: "unknown", payment: "authorized" })).toBe("confirming");
    expect(stateOf("cancelled", { confirmation: "unknown" })).toBe("cancelled");
    expect(stateOf("created", { confirmation: "no-effect", payment: "open" })).toBe("payable");
  });

  test("the server's final status takes precedence", () => {
    expect(stateOf("completed", { hasLapsed: true })).toBe("completed");
    expect(stateOf("cancelled", { confirmation: "accepted", payment: "authorized" })).toBe("cancelled");
    expect(stateOf("refunding", { payment: "captured" })).toBe("refunding");
    expect(stateOf("refunded", { payment: "captured" })).toBe("refunded");
  });
});

test("a ticket is the buyer’s until the order is refunded", () => {
  const states = ["completed", "refunding", "refunded", "lapsed", "cancelled"] as const;
  expect(states.map(isWithoutTicket)).toEqual([false, false, true, true, true]);
});

test("an order is polled until its final state", () => {
  expect(pollInterval("checking", undefined)).toBe(2000);
  expect(pollInterval("lapsed", undefined)).toBe(5000);
  expect(pollInterval("payable", undefined)).toBe(false);
  expect(pollInterval("completed", undefined)).toBe(false);
  expect(pollInterval("refunded", undefined)).toBe(false);
});

test("the intervals grow while a payment is confirmed, and while an order is refunded", () => {
  const waited = [0, 1000, 4000, 60_000, 3_600_000];
  const intervals = (state: "confirming" | "refunding") =>
    waited.map((each) => pollInterval(state, undefined, each));
  expect(intervals("confirming")).toEqual([500, 500, 2000, 5000, 5000]);
  expect(intervals("refunding")).toEqual([2000, 2000, 2000, 30_000, 60_000]);
});

test("a refund is called done by the order’s status alone", () => {
  for (const known of [undefined, null, payment("captured"), payment("refunded")])
    expect(describeRefunding(known)).toBe("Your money is being returned to your card in full.");
  expect(describeRefunding({ ...payment("captured"), refundStatus: "failed" })).toMatch(/did not accept/);
});

test("a cancelled order is polled until its payment is settled", () => {
  for (const status of ["open", "authorized", "captured"] as const)
    expect(pollInterval("cancelled", payment(status))).toBe(2000);
  expect(pollInterval("cancelled", undefined)).toBe(2000);
  for (const status of ["voided", "failed", "refunded"] as const)
    expect(pollInterval("cancelled", payment(status))).toBe(false);
  expect(pollInterval("cancelled", null)).toBe(false);
});

test("a lost call had no effect if no payment follows within six seconds", () => {
  const lostAt = 50_000;
  expect(hadNoEffect(payment("open"), { lostAt, receivedAt: 49_000 })).toBe(false);
  expect(hadNoEffect(payment("open"), { lostAt, receivedAt: 52_000 })).toBe(false);
  expect(hadNoEffect(payment("open"), { lostAt, receivedAt: 56_000 })).toBe(true);
  expect(hadNoEffect(payment("authorized"), { lostAt, receivedAt: 56_000 })).toBe(false);
  expect(hadNoEffect(undefined, { lostAt, receivedAt: 56_000 })).toBe(false);
});

describe("payment of a cancelled order", () => {
  const isCharged = /charged/;

  test("no statement without a response of the server", () => {
    expect(describeMoney("cancelled", undefined)).toMatch(/are checking/);
    expect(describeMoney("lapsed", payment("open"))).toBe("No payment has been made so far.");
    expect(describeMoney("cancelled", payment("open"))).not.toMatch(isCharged);
    expect(describeMoney("cancelled", payment("authorized"))).not.toMatch(isCharged);
  });

  test("not charged: never started, voided or failed", () => {
    expect(describeMoney("cancelled", null)).toBe("You have not been charged.");
    expect(describeMoney("cancelled", payment("failed"))).toBe("You have not been charged.");
    expect(describeMoney("cancelled", payment("voided"))).toMatch(/not been charged.*released/);
  });

  test("a failed refund is not called a refund", () => {
    for (const status of ["captured", "refunded"] as const) {
      const failed: Payment = { ...payment(status), refundStatus: "failed" };
      expect(describeMoney("cancelled", failed)).toMatch(/did not accept the refund/);
      expect(pollInterval("cancelled", failed)).toBe(false);
    }
  });

  test("a pending refund is not called done", () => {
    const pending: Payment = { ...payment("captured"), refundStatus: "pending" };
    expect(describeMoney("cancelled", pending)).toMatch(/being refunded/);
    expect(pollInterval("cancelled", pending)).toBe(60_000);
  });

  test("captured: being refunded, then refunded", () => {
    expect(describeMoney("cancelled", payment("captured"))).toMatch(/being refunded in full/);
    expect(describeMoney("cancelled", payment("refunded"))).toMatch(/was refunded/);
  });
});

test("a cancelled order states its reason", () => {
  const reasonText = (reason: Order["reason"]) =>
    cancellationReason({ ...order("cancelled"), reason } as Order);
  expect(reasonText("cancelled_by_buyer")).toBe("You cancelled it.");
  expect(reasonText("expired")).toBe("It was not paid in time.");
  expect(reasonText("payment_failed")).toBe("Your payment could not be completed.");
  expect(reasonText(undefined)).toBe("");
  expect(orderLabel("cancelled", { reason: "expired" } as Order)).toBe("Not paid in time");
  expect(orderLabel("cancelled", {} as Order)).toBe("Cancelled");
  expect(orderLabel("refunding", {} as Order)).toBe("Being refunded");
  expect(orderLabel("refunded", {} as Order)).toBe("Refunded");
});
