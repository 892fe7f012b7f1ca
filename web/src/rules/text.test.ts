import { expect, test } from "vitest";
import { lengthOf } from "./text";

test("an emoji counts once, as the server counts it", () => {
  expect(lengthOf("🎟️")).toBe(2); // the ticket, and the selector that gives it colour
  expect(lengthOf("🎫".repeat(200))).toBe(200);
});
