import { expect, test } from "vitest";
import { asPrice, parsePrice } from "./price";

test("a price is shown as it is, in the reader's language", () => {
  expect(asPrice("12.50", "usd", "en-US")).toBe("$12.50");
  expect(asPrice("12.50", "eur", "de-DE")).toBe("12,50\u00a0€");
  expect(asPrice("1200", "jpy", "en-US")).toBe("¥1,200");
});

test("no price is rounded on the way", () => {
  expect(asPrice("999999.99", "usd", "en-US")).toBe("$999,999.99");
  expect(asPrice("9007199254740993.01", "usd", "en-US")).toBe("$9,007,199,254,740,993.01");
});

test.each([
  ["12.50", "12.50"],
  [" 12,5 ", "12.5"],
  ["7", "7"],
  ["999999.99", "999999.99"],
])("%j is the price %j", (typed, price) => expect(parsePrice(typed)).toBe(price));

test.each(["", "0", "0.00", "-1", "1.234", "1e3", "12.", ".5", "1,000.00", "1000000", "ten", "١٢"])(
  "%j is no price",
  (typed) => expect(parsePrice(typed)).toBeNull(),
);
