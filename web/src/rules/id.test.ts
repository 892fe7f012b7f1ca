import { expect, test } from "vitest";
import { isId } from "./id";

test("a ULID is a valid id", () => {
  expect(isId("01KARTQ2M8Z6V3N4J5X7C9E1F2")).toBe(true);
});

test.each([
  "",
  "mine",
  "01KARTQ2M8Z6V3N4J5X7C9E1F",
  "01kartq2m8z6v3n4j5x7c9e1f2",
  "91KARTQ2M8Z6V3N4J5X7C9E1F2",
  "01KARTQ2M8Z6V3N4J5X7C9E1F2/edit",
  "../users/currentuser",
])("%j is not an id", (text) => expect(isId(text)).toBe(false));
