import { describe, expect, test } from "vitest";
import { clashes, problemsOf } from "./edit";

const OPERA = { title: "Opera", price: "10.00" };

test("a title is counted in code points, and never cut", () => {
  expect(problemsOf({ title: "🎫".repeat(200), price: "1" }).title).toBeUndefined();
  expect(problemsOf({ title: "🎫".repeat(201), price: "1" }).title).toMatch(/At most 200.*This has 201/);
  expect(problemsOf({ title: ` ${"x".repeat(200)} `, price: "1" }).title).toBeUndefined();
  expect(problemsOf({ title: "  ", price: "ten" })).toEqual({
    title: "Say what the ticket is for.",
    price: expect.stringContaining("12.50"),
  });
});

describe("a ticket that was changed elsewhere while its form was open", () => {
  test("a field that nobody typed into shows the new value, and keeps the old one on offer", () => {
    expect(clashes({ title: "Opera, row 1", price: "10.00" }, OPERA, { ...OPERA, price: "100.00" })).toEqual([
      { field: "price", now: "100.00", yours: "10.00", isUntouched: true },
    ]);
  });

  test("a field that was typed into keeps what was typed, and shows what it is now", () => {
    expect(clashes({ title: "Opera, row 1", price: "10.00" }, OPERA, { ...OPERA, title: "Ballet" })).toEqual([
      { field: "title", now: "Ballet", yours: "Opera, row 1", isUntouched: false },
    ]);
  });

  test("the same change in both places is none", () => {
    expect(clashes({ title: "Ballet ", price: "10,00" }, OPERA, { ...OPERA, title: "Ballet" })).toEqual([]);
    expect(clashes({ title: "Opera", price: "12,00" }, OPERA, { ...OPERA, price: "12.00" })).toEqual([]);
  });
});
