import { expect, test, vi } from "vitest";
import { DraftStorage } from "../rules/drafts";
import { ProblemError, TransportError } from "./errors";
import { IdempotencyKey } from "./idempotencyKey";

const body = { title: "Opera", price: "10" };
const keyOf = (key: IdempotencyKey, sent: unknown = body) => key.headersFor(sent)["Idempotency-Key"];

test("double clicks and retries after no response reuse the key", () => {
  const key = new IdempotencyKey();
  const first = keyOf(key);
  expect(keyOf(key)).toBe(first);
  key.onSettled(new TransportError("no response", null, null));
  expect(keyOf(key)).toBe(first);
});

test("success and a final error discard the key", () => {
  const key = new IdempotencyKey();
  const first = keyOf(key);
  key.onSettled(null);
  const second = keyOf(key);
  const problem = {
    type: "x",
    title: "x",
    status: 409,
    detail: "x",
    code: "ticket_held",
    errors: [],
    requestId: "x",
  } as const;
  key.onSettled(new ProblemError({ ...problem, errors: [] }, null));
  expect(new Set([first, second, keyOf(key)]).size).toBe(3);
});

test("a different body gets a different key", () => {
  const key = new IdempotencyKey();
  const first = keyOf(key);
  key.onSettled(new TransportError("no response", null, null));
  expect(keyOf(key, { ...body, price: "11" })).not.toBe(first);
});

test("a stored key survives a reload until a final response", () => {
  const stored = new Map<string, string>();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, text: string) => stored.set(key, text),
    removeItem: (key: string) => stored.delete(key),
  };
  vi.stubGlobal("sessionStorage", storage);
  const afterReload = () => new IdempotencyKey(new DraftStorage("user", "sell"));
  const first = keyOf(afterReload());
  expect(keyOf(afterReload())).toBe(first);
  expect(keyOf(afterReload(), { ...body, price: "11" })).not.toBe(first);
  const last = afterReload();
  const key = keyOf(last, { ...body, price: "11" });
  last.onSettled(null);
  expect(keyOf(afterReload(), { ...body, price: "11" })).not.toBe(key);
  vi.unstubAllGlobals();
});
