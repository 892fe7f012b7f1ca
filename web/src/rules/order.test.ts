import { describe, expect, test } from "vitest";
import type { Order, Payment } from "../api/types";
import {
  askAgainAfter,
  type Confirmation,
  cameToNothing,
  endedBecause,
  moneyOfEnded,
  orderInWords,
  orderState,
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

describe("what an order is to its buyer", () => {
  test("it can be paid until its time is up, and not after", () => {
    expect(stateOf("created")).toBe("payable");
    expect(stateOf("created", { payment: "open" })).toBe("payable");
    expect(stateOf("created", { hasLapsed: true })).toBe("lapsed");
    expect(stateOf("created", { payment: "open", hasLapsed: true })).toBe("lapsed");
  });

  test("a card that was accepted is being confirmed, even past the deadline, until the server decides", () => {
    expect(stateOf("created", { confirmation: "accepted" })).toBe("confirming");
    expect(stateOf("created", { confirmation: "accepted", hasLapsed: true })).toBe("confirming");
    expect(stateOf("created", { payment: "authorized", hasLapsed: true })).toBe("confirming");
    expect(stateOf("awaiting:payment", { hasLapsed: true })).toBe("confirming");
  });

  test("a confirmation whose answer got lost is neither success nor failure, until the server tells", () => {
    expect(stateOf("created", { confirmation: "unknown" })).toBe("checking");
    expect(stateOf("created", { confirmation: "unknown", payment: "open", hasLapsed: true })).toBe(
      "checking",
    );
    expect(stateOf("created", { confirmation: "unknown", payment: "authorized" })).toBe("confirming");
    expect(stateOf("cancelled", { confirmation: "unknown" })).toBe("ended");
    expect(stateOf("created", { confirmation: "came to nothing", payment: "open" })).toBe("payable");
  });

  test("the server's word ends it, whatever the page believed", () => {
    expect(stateOf("completed", { hasLapsed: true })).toBe("yours");
    expect(stateOf("cancelled", { confirmation: "accepted", payment: "authorized" })).toBe("ended");
    expect(stateOf("refunded", { payment: "captured" })).toBe("refunded");
  });
});

test("news is asked for as long as there can be any", () => {
  expect(askAgainAfter("checking", undefined)).toBe(2000);
  expect(askAgainAfter("confirming", undefined)).toBe(1000);
  expect(askAgainAfter("payable", undefined)).toBe(5000);
  expect(askAgainAfter("yours", undefined)).toBe(false);
  expect(askAgainAfter("refunded", undefined)).toBe(false);
});

test("an order that has ended is asked about until its money is settled", () => {
  for (const status of ["open", "authorized", "captured"] as const)
    expect(askAgainAfter("ended", payment(status))).toBe(2000);
  expect(askAgainAfter("ended", undefined)).toBe(2000);
  for (const status of ["voided", "failed", "refunded"] as const)
    expect(askAgainAfter("ended", payment(status))).toBe(false);
  expect(askAgainAfter("ended", null)).toBe(false);
});

test("a lost call has come to nothing once Stripe has shown no payment for a while after it", () => {
  const lostAt = 50_000;
  expect(cameToNothing(payment("open"), { lostAt, answeredAt: 49_000 })).toBe(false);
  expect(cameToNothing(payment("open"), { lostAt, answeredAt: 52_000 })).toBe(false);
  expect(cameToNothing(payment("open"), { lostAt, answeredAt: 56_000 })).toBe(true);
  expect(cameToNothing(payment("authorized"), { lostAt, answeredAt: 56_000 })).toBe(false);
  expect(cameToNothing(undefined, { lostAt, answeredAt: 56_000 })).toBe(false);
});

describe("what became of the money of an order that has ended", () => {
  const isCharged = /charged/;

  test("nothing is said of it that the server has not told", () => {
    expect(moneyOfEnded("ended", undefined)).toMatch(/being checked/);
    expect(moneyOfEnded("lapsed", payment("open"))).toBe("No payment has been made so far.");
    expect(moneyOfEnded("ended", payment("open"))).not.toMatch(isCharged);
    expect(moneyOfEnded("ended", payment("authorized"))).not.toMatch(isCharged);
  });

  test("not charged is what was never started, was let go, or failed", () => {
    expect(moneyOfEnded("ended", null)).toBe("You have not been charged.");
    expect(moneyOfEnded("ended", payment("failed"))).toBe("You have not been charged.");
    expect(moneyOfEnded("ended", payment("voided"))).toMatch(/not been charged.*released/);
  });

  test("what was taken is on its way back, and then it is back", () => {
    expect(moneyOfEnded("ended", payment("captured"))).toMatch(/being returned in full/);
    expect(moneyOfEnded("ended", payment("refunded"))).toMatch(/was returned/);
  });
});

test("an order that has ended says why, where the server says it", () => {
  const because = (reason: Order["reason"]) => endedBecause({ ...order("cancelled"), reason } as Order);
  expect(because("cancelled_by_buyer")).toBe("You cancelled it.");
  expect(because("expired")).toBe("It was not paid in time.");
  expect(because("payment_failed")).toBe("Your payment could not be completed.");
  expect(because(undefined)).toBe("");
  expect(orderInWords("ended", { reason: "expired" } as Order)).toBe("Not paid in time");
  expect(orderInWords("ended", {} as Order)).toBe("Cancelled");
  expect(orderInWords("refunded", {} as Order)).toBe("Refunded");
});
