import { expect, test } from "vitest";
import { timeOfId } from "./ulid";

test("an id begins with its time", () => {
  // The example of the specification of ULIDs.
  expect(timeOfId("01ARZ3NDEKTSV4RRFFQ69G5FAV")).toBe(1_469_922_850_259);
  expect(timeOfId("00000000000000000000000000")).toBe(0);
});
