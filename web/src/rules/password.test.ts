import { expect, test } from "vitest";
import { passwordProblem } from "./password";

test("a password is never cut: a long one is refused with its length", () => {
  expect(passwordProblem("x".repeat(128), "signup")).toBeUndefined();
  expect(passwordProblem("x".repeat(140), "signup")).toMatch(/at most 128 characters. This has 140/);
  expect(passwordProblem("x".repeat(140), "signin")).toMatch(/at most 128 characters. This has 140/);
});

test("it is counted in code points of its NFC form", () => {
  expect(passwordProblem("🎫".repeat(8), "signup")).toBeUndefined();
  expect(passwordProblem("🎫".repeat(7), "signup")).toMatch(/at least 8 characters. This has 7/);
  expect(passwordProblem("🎫".repeat(128), "signup")).toBeUndefined();
  expect(passwordProblem("a\u0308".repeat(7), "signup")).toMatch(/This has 7/);
  expect(passwordProblem("a\u0308".repeat(128), "signup")).toBeUndefined();
});

test("signing in asks for no length: the server knows whose it is", () => {
  expect(passwordProblem("short", "signin")).toBeUndefined();
  expect(passwordProblem("", "signin")).toBe("Give your password.");
});
