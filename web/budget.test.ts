import { expect, test } from "vitest";
import { type Chunk, initialBytes, overBudget } from "./budget";

const code = (length: number) =>
  Array.from({ length }, (_, n) => String.fromCharCode(33 + ((n * n * 7919) % 90))).join("");
const chunk = (isEntry: boolean, imports: string[], length = 1000): Chunk => ({
  isEntry,
  imports,
  code: code(length),
});

test("what the first page imports counts, and what comes later does not", () => {
  const all = {
    main: chunk(true, ["shared"]),
    shared: chunk(false, ["main"]),
    later: chunk(false, ["shared"]),
  };
  const [main, both] = [initialBytes({ main: all.main }), initialBytes(all)];
  expect(both).toBe(2 * main);
});

test("a build past the budget is told so", () => {
  expect(overBudget(130_000)).toBeNull();
  expect(overBudget(130_001)).toMatch(/needs 130001 bytes/);
});
