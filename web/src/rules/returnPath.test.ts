import { expect, test } from "vitest";
import { returnPath, signInPath } from "./returnPath";

test("sign-in returns to the current page", () => {
  expect(signInPath("/tickets/01K?x=1")).toBe("/signin?next=%2Ftickets%2F01K%3Fx%3D1");
  expect(returnPath("/tickets/01K?x=1#top")).toBe("/tickets/01K?x=1#top");
  expect(returnPath("/tickets/01K/edit")).toBe("/tickets/01K/edit");
  expect(returnPath("/orders?")).toBe("/orders");
  expect(returnPath("/tickets/../orders")).toBe("/orders");
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
  "/",
  "//",
  "///",
  "/\\",
  "/\\\\",
  "\\\\evil.example",
  "/%5C",
  "/%5Cevil.example",
  "/%2F/evil.example",
  "/%",
  "/.//evil.example",
  "/x/..//evil.example",
  "/orders/..//evil.example",
  "https:evil.example",
  "/\u0000",
  "/or\u0000ders",
  "/\r\n/evil.example",
  " //evil.example",
  "//[",
  "/@evil.example",
])("%j becomes the start page", (requested) => expect(returnPath(requested)).toBe("/"));
