import { expect, test } from "vitest";
import { codePointCount } from "./text";

test("the length is counted in code points", () => {
  expect(codePointCount("🎟️")).toBe(2); // the emoji and a variation selector
  expect(codePointCount("🎫".repeat(200))).toBe(200);
});
