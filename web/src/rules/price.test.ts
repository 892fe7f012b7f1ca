import { expect, test } from "vitest";
import { formatPrice, parsePrice } from "./price";

test("a price is formatted in the user's language", () => {
  expect(formatPrice("12.50", "usd", "en-US")).toBe("$12.50");
  expect(formatPrice("12.50", "eur", "de-DE")).toBe("12,50\u00a0€");
  expect(formatPrice("1200", "jpy", "en-US")).toBe("¥1,200");
});

test("prices are not rounded", () => {
  expect(formatPrice("999999.99", "usd", "en-US")).toBe("$999,999.99");
  expect(formatPrice("9007199254740993.01", "usd", "en-US")).toBe("$9,007,199,254,740,993.01");
});

test.each([
  ["12.50", "12.50"],
  [" 12,5 ", "12.5"],
  ["7", "7"],
  ["999999.99", "999999.99"],
])("%j is parsed as %j", (input, price) => expect(parsePrice(input)).toBe(price));

test.each(["", "0", "0.00", "-1", "1.234", "1e3", "12.", ".5", "1,000.00", "1000000", "ten", "١٢"])(
  "%j is not a price",
  (input) => expect(parsePrice(input)).toBeNull(),
);
