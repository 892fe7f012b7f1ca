import { expect, test } from "vitest";
import { fromMinorUnits, sumOf, toMinorUnits } from "./money";

test.each([
  ["12.50", 2, 1250n],
  ["0.05", 2, 5n],
  ["7", 2, 700n],
  ["500", 0, 500n],
  ["90071992547409.93", 2, 9007199254740993n],
])("%s with %i decimals is %d", (amount, decimals, minor) => {
  expect(toMinorUnits(amount, decimals)).toBe(minor);
});

test("minor units become a decimal string", () => {
  expect([1250n, 5n, 0n].map((amount) => fromMinorUnits(amount, 2))).toEqual(["12.50", "0.05", "0.00"]);
  expect(fromMinorUnits(500n, 0)).toBe("500");
});

test("amounts are added without rounding", () => {
  expect(sumOf(["0.10", "0.20"])).toBe("0.30");
  expect(sumOf(["90071992547409.93", "0.01"])).toBe("90071992547409.94");
  expect(sumOf(["500", "25"])).toBe("525");
  expect(sumOf([])).toBe("0");
});
