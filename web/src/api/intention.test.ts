import { expect, test } from "vitest";
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
