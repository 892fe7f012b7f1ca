import { expect, test } from "vitest";
import { passwordError } from "./password";

test("a password that is too long is rejected, not truncated", () => {
  expect(passwordError("x".repeat(128), "signup")).toBeUndefined();
  expect(passwordError("x".repeat(140), "signup")).toMatch(/at most 128 characters. This password has 140/);
  expect(passwordError("x".repeat(140), "signin")).toMatch(/at most 128 characters. This password has 140/);
});

test("passwords are counted in code points of their NFC form", () => {
  expect(passwordError("🎫".repeat(8), "signup")).toBeUndefined();
  expect(passwordError("🎫".repeat(7), "signup")).toMatch(/at least 8 characters. This password has 7/);
  expect(passwordError("🎫".repeat(128), "signup")).toBeUndefined();
  expect(passwordError("a\u0308".repeat(7), "signup")).toMatch(/This password has 7/);
  expect(passwordError("a\u0308".repeat(128), "signup")).toBeUndefined();
});

test("sign-in has no minimum length", () => {
  expect(passwordError("short", "signin")).toBeUndefined();
  expect(passwordError("", "signin")).toBe("Enter your password.");
});
