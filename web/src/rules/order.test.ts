import { describe, expect, test } from "vitest";
import type { Order, Payment } from "../api/types";
import { askAgainAfter, moneyOfEnded, orderState } from "./order";

const order = (status: Order["status"]) => ({ status }) as Order;
const payment = (status: Payment["status"]) => ({ status }) as Payment;

function stateOf(
  status: Order["status"],
  known: { payment?: Payment["status"]; isConfirmed?: boolean; hasLapsed?: boolean } = {},
) {
  return orderState({
    order: order(status),
    payment: known.payment && payment(known.payment),
    isConfirmed: known.isConfirmed ?? false,
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
    expect(stateOf("created", { isConfirmed: true })).toBe("confirming");
    expect(stateOf("created", { isConfirmed: true, hasLapsed: true })).toBe("confirming");
    expect(stateOf("created", { payment: "authorized", hasLapsed: true })).toBe("confirming");
    expect(stateOf("awaiting:payment", { hasLapsed: true })).toBe("confirming");
  });

  test("the server's word ends it, whatever the page believed", () => {
    expect(stateOf("completed", { hasLapsed: true })).toBe("yours");
    expect(stateOf("cancelled", { isConfirmed: true, payment: "authorized" })).toBe("ended");
  });
});

test("news is asked for as long as there can be any", () => {
  expect(askAgainAfter("confirming")).toBe(1000);
  expect(askAgainAfter("payable")).toBe(5000);
  expect(askAgainAfter("yours")).toBe(false);
  expect(askAgainAfter("ended")).toBe(false);
});

test("whoever did not get the ticket reads what became of the money", () => {
  expect(moneyOfEnded(undefined)).toBe("");
  expect(moneyOfEnded(null)).toBe("You have not been charged.");
  expect(moneyOfEnded(payment("open"))).toBe("You have not been charged.");
  expect(moneyOfEnded(payment("voided"))).toMatch(/not been charged.*released/);
  expect(moneyOfEnded(payment("captured"))).toMatch(/being returned/);
  expect(moneyOfEnded(payment("refunded"))).toMatch(/was returned/);
});
