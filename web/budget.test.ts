import { expect, test } from "vitest";
import { budgetError, type Chunk, initialBytes } from "./budget";

const code = (length: number) =>
  Array.from({ length }, (_, n) => String.fromCharCode(33 + ((n * n * 7919) % 90))).join("");
const chunk = (isEntry: boolean, imports: string[], length = 1000): Chunk => ({
  isEntry,
  imports,
  code: code(length),
});

test("only chunks that the first page imports are counted", () => {
  const all = {
    main: chunk(true, ["shared"]),
    shared: chunk(false, ["main"]),
    later: chunk(false, ["shared"]),
  };
  const [main, both] = [initialBytes({ main: all.main }), initialBytes(all)];
  expect(both).toBe(2 * main);
});

test("a build over the budget fails", () => {
  expect(budgetError(75_000)).toBeNull();
  expect(budgetError(75_001)).toMatch(/needs 75001 bytes/);
});
