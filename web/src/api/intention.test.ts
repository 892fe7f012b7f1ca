import { expect, test, vi } from "vitest";
import { DraftPlace } from "../rules/drafts";
import { Refusal, Unanswered } from "./errors";
import { Intention } from "./intention";

const body = { title: "Opera", price: "10" };
const keyOf = (intention: Intention, sent: unknown = body) => intention.headersFor(sent)["Idempotency-Key"];

test("a double click, and a try after one that nobody answered, are the same intention", () => {
  const intention = new Intention();
  const first = keyOf(intention);
  expect(keyOf(intention)).toBe(first);
  intention.answered(new Unanswered("no answer", null, null));
  expect(keyOf(intention)).toBe(first);
});

test("after success or a final refusal it is another", () => {
  const intention = new Intention();
  const first = keyOf(intention);
  intention.answered(null);
  const second = keyOf(intention);
  const problem = {
    type: "x",
    title: "x",
    status: 409,
    detail: "x",
    code: "ticket_held",
    errors: [],
    requestId: "x",
  } as const;
  intention.answered(new Refusal({ ...problem, errors: [] }, null));
  expect(new Set([first, second, keyOf(intention)]).size).toBe(3);
});

test("something else is another intention, even after no answer", () => {
  const intention = new Intention();
  const first = keyOf(intention);
  intention.answered(new Unanswered("no answer", null, null));
  expect(keyOf(intention, { ...body, price: "11" })).not.toBe(first);
});

test("where nobody answered, it is the same after a reload, and after an answer it is not", () => {
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, text: string) => stored.set(key, text),
    removeItem: (key: string) => stored.delete(key),
  };
  vi.stubGlobal("sessionStorage", storage);
  const afterReload = () => new Intention(new DraftPlace("user", "sell"));
  const first = keyOf(afterReload());
  expect(keyOf(afterReload())).toBe(first);
  expect(keyOf(afterReload(), { ...body, price: "11" })).not.toBe(first);
  const last = afterReload();
  const key = keyOf(last, { ...body, price: "11" });
  last.answered(null);
  expect(keyOf(afterReload(), { ...body, price: "11" })).not.toBe(key);
  vi.unstubAllGlobals();
});
