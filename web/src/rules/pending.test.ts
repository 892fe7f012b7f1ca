import { expect, test } from "vitest";
import { pendingInWords } from "./pending";

const ticket = { title: "Opera", price: "10.00", currency: "usd" };
const words = (change: object) =>
  pendingInWords(ticket, { title: "Opera", price: "10.00", withdrawn: false, ...change }, "en-US");

test("a change that is not decided yet says what the ticket is to become", () => {
  expect(words({ price: "12.00" })).toBe("To become $12.00.");
  expect(words({ title: "Ballet" })).toBe("To become “\u2068Ballet\u2069”.");
  expect(words({ title: "Ballet", price: "12.00" })).toBe("To become “\u2068Ballet\u2069”, for $12.00.");
  expect(words({ withdrawn: true })).toBe("To be taken off sale.");
});
