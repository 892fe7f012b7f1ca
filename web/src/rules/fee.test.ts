import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Fee } from "../api/types";
import { describeEarnings, earningsOf } from "./fee";

interface Vector extends Fee {
  why: string;
  price: string;
  fee: string;
}

/** The server's rule has the same vectors (`tests/unit/test_money.py`). */
const VECTORS: Vector[] = JSON.parse(
  readFileSync(new URL("../../../tests/unit/fees.json", import.meta.url), "utf8"),
);

const usd: Fee = { percent: "5", fixed: "0.00", currency: "usd" };
const text = (input: string, fee: Partial<Fee> = {}) => describeEarnings(input, { ...usd, ...fee }, "en-US");

describe("the fee is the server’s", () => {
  test.each(VECTORS)("$why: $percent % and $fixed of $price", ({ price, fee, ...rule }) => {
    expect(earningsOf(price, rule)).toMatchObject({ price, fee });
  });

  test("price, fee and net add up", () => {
    for (const { price, ...rule } of VECTORS) {
      const earnings = earningsOf(price, rule);
      expect(Number(earnings?.fee) + Number(earnings?.net)).toBeCloseTo(Number(price), 6);
    }
  });
});

test("the seller reads what they get", () => {
  expect(text("45.00")).toBe("You get $42.75 ($45.00 less a fee of $2.25).");
  expect(text("45.00", { fixed: "0.50" })).toBe("You get $42.25 ($45.00 less a fee of $2.75).");
  expect(text("45", { percent: "0" })).toBe("You get $45.00. There is no fee.");
  expect(text("500", { fixed: "0", currency: "jpy" })).toBe("You get ¥475 (¥500 less a fee of ¥25).");
});

test("a price as it is typed", () => {
  expect(text(" 45 ")).toMatch(/^You get \$42\.75/);
  expect(text("20,5")).toMatch(/^You get \$19\.48/);
});

test.each(["", "4.", "0", "abc", "1.234", "1000000"])("%j gets nothing", (input) => {
  expect(text(input)).toBe("");
});

test("a price has no more decimals than its currency", () => {
  expect(text("500.5", { fixed: "0", currency: "jpy" })).toBe("");
});
