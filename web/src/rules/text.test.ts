import { expect, test } from "vitest";
import { codePointCount, hasControlCharacters } from "./text";

test("the length is counted in code points", () => {
  expect(codePointCount("🎟️")).toBe(2); // the emoji and a variation selector
  expect(codePointCount("🎫".repeat(200))).toBe(200);
});

test("control characters are found, joiners and direction marks are not among them", () => {
  const refused = [0x00, 0x1f, 0x7f, 0x9f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff, 0xfffd];
  for (const codePoint of refused)
    expect(hasControlCharacters(`A${String.fromCodePoint(codePoint)}B`), codePoint.toString(16)).toBe(true);
  expect(hasControlCharacters("👨\u200d👩\u200d👧 نمی\u200cخواهم \u200e\u200f\u061c Ré 座席")).toBe(false);
});
