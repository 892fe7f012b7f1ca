import { describe, expect, test } from "vitest";
import { findConflicts, validate } from "./edit";

const OPERA = { title: "Opera", price: "10.00" };

test("titles are counted in code points, never truncated", () => {
  expect(validate({ title: "🎫".repeat(200), price: "1" }).title).toBeUndefined();
  expect(validate({ title: "🎫".repeat(201), price: "1" }).title).toMatch(/at most 200.*This title has 201/);
  expect(validate({ title: ` ${"x".repeat(200)} `, price: "1" }).title).toBeUndefined();
  expect(validate({ title: "  ", price: "ten" })).toEqual({
    title: "Enter a title.",
    price: expect.stringContaining("12.50"),
  });
});

test("a title with a control character is refused, also one that trimming would remove", () => {
  for (const title of ["Op\u202eera", "\ufeffOpera"])
    expect(validate({ title, price: "1" }).title).toMatch(/control characters/);
});

describe("conflicts with a change made elsewhere", () => {
  test("an untouched field takes the new value and offers the old one", () => {
    expect(
      findConflicts({ title: "Opera, row 1", price: "10.00" }, OPERA, { ...OPERA, price: "100.00" }),
    ).toEqual([{ field: "price", now: "100.00", yours: "10.00", isUntouched: true }]);
  });

  test("an edited field keeps its input and offers the new value", () => {
    expect(
      findConflicts({ title: "Opera, row 1", price: "10.00" }, OPERA, { ...OPERA, title: "Ballet" }),
    ).toEqual([{ field: "title", now: "Ballet", yours: "Opera, row 1", isUntouched: false }]);
  });

  test("the same change in both places is no conflict", () => {
    expect(findConflicts({ title: "Ballet ", price: "10,00" }, OPERA, { ...OPERA, title: "Ballet" })).toEqual(
      [],
    );
    expect(findConflicts({ title: "Opera", price: "12,00" }, OPERA, { ...OPERA, price: "12.00" })).toEqual(
      [],
    );
  });
});
