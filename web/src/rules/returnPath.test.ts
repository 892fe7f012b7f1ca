import { expect, test } from "vitest";
import { returnPath, signInPath } from "./returnPath";

test("signing in leads back to where one was", () => {
  expect(signInPath("/tickets/01K?x=1")).toBe("/signin?next=%2Ftickets%2F01K%3Fx%3D1");
  expect(returnPath("/tickets/01K?x=1#top")).toBe("/tickets/01K?x=1#top");
  expect(signInPath("/")).toBe("/signin");
});

test.each([
  null,
  "",
  "orders",
  "//evil.example",
  "/\\evil.example",
  "/\t/evil.example",
  "https://evil.example/",
  "javascript:alert(1)",
  "/signin?next=/orders",
  "/signup",
])("%j leads to the start", (asked) => expect(returnPath(asked)).toBe("/"));
