import { describe, expect, test } from "vitest";
import {
  explain,
  fieldError,
  isFinal,
  isSignedOut,
  newPasswordError,
  PendingError,
  ProblemError,
  retryDelay,
  shouldRetry,
  TransportError,
  waitOf,
} from "./errors";
import type { Problem } from "./types";

function problem(status: number, code: Problem["code"], retryAfter: number | null = null): ProblemError {
  const errors = [{ message: "must be at least 0.50", field: "price" }];
  const body = { type: "urn:x", title: "x", status, detail: "why", code, errors, requestId: "r-1" };
  return new ProblemError(body, retryAfter);
}

describe("automatic retries", () => {
  test("a problem response is final", () => {
    expect(isFinal(problem(409, "ticket_held"))).toBe(true);
    expect(shouldRetry(0, problem(409, "ticket_held"))).toBe(false);
    expect(shouldRetry(0, new TransportError("API Gateway's own 401", 401, null))).toBe(false);
  });

  test("Retry-After is respected", () => {
    const notYet = problem(404, "ticket_not_found", 1);
    expect(isFinal(notYet)).toBe(false);
    expect(shouldRetry(0, notYet)).toBe(true);
    expect(retryDelay(3, notYet)).toBe(1000);
    expect(shouldRetry(8, notYet)).toBe(false);
  });

  test("no response and a server error are retried twice", () => {
    for (const error of [new TransportError("no response", null, null), problem(500, "internal_error")]) {
      expect(isFinal(error)).toBe(false);
      expect([0, 1, 2].map((failures) => shouldRetry(failures, error))).toEqual([true, true, false]);
    }
  });

  test("a pending change is retried up to 40 times", () => {
    expect(isFinal(new PendingError(null))).toBe(false);
    expect(shouldRetry(20, new PendingError(null))).toBe(true);
    expect(retryDelay(20, new PendingError(2))).toBe(2000);
    expect(shouldRetry(40, new PendingError(1))).toBe(false);
  });

  test("a rate-limited call is not retried", () => {
    expect(shouldRetry(0, problem(429, "too_many_attempts", 60))).toBe(false);
  });

  test("a refusal for minutes is final, and shown at once", () => {
    for (const code of ["too_many_holds", "recently_lapsed"] as const) {
      const refused = problem(409, code, 240);
      expect(isFinal(refused)).toBe(true);
      expect(shouldRetry(0, refused)).toBe(false);
      expect(waitOf(refused)).toBe("in 4 minutes");
    }
  });

  test("errors of other origin are not retried", () => {
    expect(shouldRetry(0, new TypeError("a bug"))).toBe(false);
  });
});

test("an expired session is distinguished from a wrong password", () => {
  expect(isSignedOut(problem(401, "unauthenticated"))).toBe(true);
  expect(isSignedOut(new TransportError("API Gateway's own", 401, null))).toBe(true);
  expect(isSignedOut(problem(401, "bad_credentials"))).toBe(false);
});

test("every error is explained with advice", () => {
  expect(explain(new TransportError("no response", null, null)).title).toBe("No connection");
  expect(explain(problem(429, "too_many_attempts", 600)).advice).toMatch(/10 minutes/);
  expect(explain(problem(500, "internal_error")).advice).toMatch(/Try again.*r-1/);
  expect(explain(new TransportError("a proxy's page", 502, null)).title).toMatch(/our side/);
  expect(explain(problem(403, "own_ticket")).advice).toMatch(/must be at least/);
});

test("a field error belongs to its field", () => {
  expect(fieldError(problem(400, "invalid_request"), "price")).toBe("Must be at least 0.50.");
  expect(fieldError(problem(400, "invalid_request"), "title")).toBeUndefined();
  expect(fieldError(problem(409, "ticket_held"), "price")).toBeUndefined();
});

test("a password that is refused for what it is has a message at its field", () => {
  expect(newPasswordError(problem(422, "password_refused"), "password")).toBe("Why.");
  expect(newPasswordError(problem(400, "invalid_request"), "price")).toBe("Must be at least 0.50.");
});
