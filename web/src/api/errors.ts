import type { Problem } from "./types";

/**
 * Why a call has failed:
 *
 *     ApiError
 *     ├── Refusal        the API says no, in a problem document
 *     ├── Undecided      the API has taken the call (202) and cannot say yet what will come of it
 *     ├── UserChanged    the session is another user's by now
 *     └── Unanswered     nobody answered, or with something that is no problem document
 */
export class ApiError extends Error {
  /** Seconds after which the server asks to come again. */
  readonly retryAfter: number | null;
  readonly status: number | null;

  constructor(message: string, status: number | null, retryAfter: number | null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class Refusal extends ApiError {
  readonly problem: Problem;

  constructor(problem: Problem, retryAfter: number | null) {
    super(problem.detail, problem.status, retryAfter);
    this.problem = problem;
  }

  get code(): Problem["code"] {
    return this.problem.code;
  }
}

/** Somebody else is signed in than the one for whom a call was made. */
export class UserChanged extends ApiError {
  constructor() {
    super("somebody else is signed in", 403, null);
  }
}

/** The same call, with the same `Idempotency-Key`, is answered with the outcome once there is one. */
export class Undecided extends ApiError {
  constructor(retryAfter: number | null) {
    super("not decided yet", 202, retryAfter ?? 1);
  }
}

/** `status` is null where not even the network answered. */
export class Unanswered extends ApiError {}

/** A refusal's code; null for anything else. */
export function codeOf(error: unknown): Problem["code"] | null {
  return error instanceof Refusal ? error.code : null;
}

/** Whether there is no such thing, or none that the caller may see. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Refusal && error.problem.status === 404 && error.retryAfter === null;
}

/** Whether the server has made up its mind: what is tried again after that is a new try. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof ApiError && error.status !== null && error.status < 500 && error.retryAfter === null
  );
}

/** Whether the caller's session is over. API Gateway says it too, without a problem document. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401 && codeOf(error) !== "bad_credentials";
}

const TRIES_WHEN_UNANSWERED = 2;
const TRIES_WHEN_ASKED = 8;
const TRIES_WHEN_UNDECIDED = 40;

/** Whether to try again by itself, after `failures` that ended in this one. */
export function shouldTryAgain(failures: number, error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status === 429) return false;
  if (error instanceof Undecided) return failures < TRIES_WHEN_UNDECIDED;
  if (error.retryAfter !== null) return failures < TRIES_WHEN_ASKED;
  return !isFinal(error) && codeOf(error) !== "payments_not_configured" && failures < TRIES_WHEN_UNANSWERED;
}

/** Milliseconds to wait before that. */
export function tryAgainAfter(failures: number, error: unknown): number {
  if (error instanceof ApiError && error.retryAfter !== null) return error.retryAfter * 1000;
  return Math.min(400 * 2 ** failures, 4000);
}

/** What to tell somebody whose call has failed, where a page knows nothing better: what happened, and what to do. */
export function explain(error: unknown): { title: string; advice: string } {
  if (error instanceof Unanswered && error.status === null) {
    return {
      title: "No connection",
      advice: "Admit One could not be reached. Check your connection, then try again.",
    };
  }
  if (error instanceof UserChanged)
    return { title: "Somebody else is signed in now", advice: "Load this page again." };
  if (error instanceof ApiError && error.status === 429) {
    const minutes = Math.ceil((error.retryAfter ?? 60) / 60);
    const wait = new Intl.NumberFormat(undefined, { style: "unit", unit: "minute", unitDisplay: "long" });
    return { title: "Too many tries", advice: `Please wait ${wait.format(minutes)}, then try again.` };
  }
  if (error instanceof Refusal && error.problem.status < 500) {
    const [first] = error.problem.errors;
    return {
      title: "That was refused",
      advice: `The server says: ${first?.message ?? error.problem.detail}.`,
    };
  }
  const request =
    error instanceof Refusal ? ` If it stays so, mention request ${error.problem.requestId}.` : "";
  return {
    title: "Something went wrong on our side",
    advice: `Try again in a moment.${request}`,
  };
}

/** What the API says is wrong with one field of the body. */
export function problemOf(error: unknown, field: string): string | undefined {
  if (!(error instanceof Refusal) || error.problem.status !== 400) return undefined;
  const message = error.problem.errors.find((each) => each.field === field)?.message;
  return message && `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
