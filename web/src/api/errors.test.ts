import { describe, expect, test } from "vitest";
import {
  explain,
  isFinal,
  isSignedOut,
  problemOf,
  Refusal,
  shouldTryAgain,
  tryAgainAfter,
  Unanswered,
  Undecided,
} from "./errors";
import type { Problem } from "./types";

function refusal(status: number, code: Problem["code"], retryAfter: number | null = null): Refusal {
  const errors = [{ message: "must be at least 0.50", field: "price" }];
  const problem = { type: "urn:x", title: "x", status, detail: "why", code, errors, requestId: "r-1" };
  return new Refusal(problem, retryAfter);
}

describe("trying again by itself", () => {
  test("a refusal is final", () => {
    expect(isFinal(refusal(409, "ticket_held"))).toBe(true);
    expect(shouldTryAgain(0, refusal(409, "ticket_held"))).toBe(false);
    expect(shouldTryAgain(0, new Unanswered("API Gateway's own 401", 401, null))).toBe(false);
  });

  test("one that asks to come again is not, and says when", () => {
    const young = refusal(404, "ticket_not_found", 1);
    expect(isFinal(young)).toBe(false);
    expect(shouldTryAgain(0, young)).toBe(true);
    expect(tryAgainAfter(3, young)).toBe(1000);
    expect(shouldTryAgain(8, young)).toBe(false);
  });

  test("no answer and a crash are tried twice more", () => {
    for (const error of [new Unanswered("no answer", null, null), refusal(500, "internal_error")]) {
      expect(isFinal(error)).toBe(false);
      expect([0, 1, 2].map((failures) => shouldTryAgain(failures, error))).toEqual([true, true, false]);
    }
  });

  test("what is not decided yet is asked for as the same intention, patiently", () => {
    expect(isFinal(new Undecided(null))).toBe(false);
    expect(shouldTryAgain(20, new Undecided(null))).toBe(true);
    expect(tryAgainAfter(20, new Undecided(2))).toBe(2000);
    expect(shouldTryAgain(40, new Undecided(1))).toBe(false);
  });

  test("too many tries are not answered with more of them", () => {
    expect(shouldTryAgain(0, refusal(429, "too_many_attempts", 60))).toBe(false);
  });

  test("what is not of the API is not tried again", () => {
    expect(shouldTryAgain(0, new TypeError("a mistake of ours"))).toBe(false);
  });
});

test("a session that is over is told from a wrong password", () => {
  expect(isSignedOut(refusal(401, "unauthenticated"))).toBe(true);
  expect(isSignedOut(new Unanswered("API Gateway's own", 401, null))).toBe(true);
  expect(isSignedOut(refusal(401, "bad_credentials"))).toBe(false);
});

test("every failure says what happened and what to do", () => {
  expect(explain(new Unanswered("no answer", null, null)).title).toBe("No connection");
  expect(explain(refusal(429, "too_many_attempts", 600)).advice).toMatch(/10 minutes/);
  expect(explain(refusal(500, "internal_error")).advice).toMatch(/Try again.*r-1/);
  expect(explain(new Unanswered("a proxy's page", 502, null)).title).toMatch(/our side/);
  expect(explain(refusal(403, "own_ticket")).advice).toMatch(/must be at least/);
});

test("a bad field is named at its input", () => {
  expect(problemOf(refusal(400, "invalid_request"), "price")).toBe("Must be at least 0.50.");
  expect(problemOf(refusal(400, "invalid_request"), "title")).toBeUndefined();
  expect(problemOf(refusal(409, "ticket_held"), "price")).toBeUndefined();
});
