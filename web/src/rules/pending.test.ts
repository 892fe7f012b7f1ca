import { expect, test } from "vitest";
import { describePendingChange } from "./pending";

const ticket = { title: "Opera", price: "10.00", currency: "usd" };
const text = (change: object) =>
  describePendingChange(ticket, { title: "Opera", price: "10.00", withdrawn: false, ...change }, "en-US");

test("a pending change is described", () => {
  expect(text({ price: "12.00" })).toBe("New price: $12.00.");
  expect(text({ title: "Ballet" })).toBe("New title: “\u2068Ballet\u2069”.");
  expect(text({ title: "Ballet", price: "12.00" })).toBe(
    "New title: “\u2068Ballet\u2069”. New price: $12.00.",
  );
  expect(text({ withdrawn: true })).toBe("It will be withdrawn.");
});
