import type { Problem } from "./types";

/**
 * Errors of calls to the API:
 *
 *     ApiError
 *     ├── ProblemError      the API returned a problem document
 *     ├── PendingError      the API accepted the call (202) and has not decided its outcome yet
 *     ├── UserChanged       a different user is signed in now
 *     └── TransportError    no response, or an error response without a problem document
 */
export class ApiError extends Error {
  /** Seconds after which the server asks to retry. */
  readonly retryAfter: number | null;
  readonly status: number | null;

  constructor(message: string, status: number | null, retryAfter: number | null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class ProblemError extends ApiError {
  readonly problem: Problem;

  constructor(problem: Problem, retryAfter: number | null) {
    super(problem.detail, problem.status, retryAfter);
    this.problem = problem;
  }

  get code(): Problem["code"] {
    return this.problem.code;
  }
}

/** The signed-in user is not the one for whom the call was made. */
export class UserChanged extends ApiError {
  constructor() {
    super("a different user is signed in", 403, null);
  }
}

/** Repeating the call with the same `Idempotency-Key` returns the outcome once it is decided. */
export class PendingError extends ApiError {
  constructor(retryAfter: number | null) {
    super("not decided yet", 202, retryAfter ?? 1);
  }
}

/** `status` is null if there was no response. */
export class TransportError extends ApiError {}

/** The code of a problem; null for other errors. */
export function codeOf(error: unknown): Problem["code"] | null {
  return error instanceof ProblemError ? error.code : null;
}

/** Whether the resource does not exist or is not visible to the user. With a Retry-After, it may still appear. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.status === 404 && error.retryAfter === null;
}

/** Refusals with a Retry-After of minutes, which are shown to the user in place of an automatic retry. */
const REFUSED_FOR_NOW: readonly (Problem["code"] | null)[] = ["too_many_holds", "recently_lapsed"];

function isRefusedForNow(error: unknown): boolean {
  return REFUSED_FOR_NOW.includes(codeOf(error));
}

/** Whether the outcome is final, so that another attempt is a new write. */
export function isFinal(error: unknown): boolean {
  return (
    isRefusedForNow(error) ||
    (error instanceof ApiError && error.status !== null && error.status < 500 && error.retryAfter === null)
  );
}

/** Whether the session has ended. API Gateway's own 401 has no problem document. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401 && codeOf(error) !== "bad_credentials";
}

const RETRIES_WITHOUT_RESPONSE = 2;
const RETRIES_IF_ASKED = 8;
const RETRIES_WHILE_PENDING = 40;

/** Whether to retry automatically after an error that `failures` others preceded. */
export function shouldRetry(failures: number, error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status === 429 || isRefusedForNow(error)) return false;
  if (error instanceof PendingError) return failures < RETRIES_WHILE_PENDING;
  if (error.retryAfter !== null) return failures < RETRIES_IF_ASKED;
  return (
    !isFinal(error) && codeOf(error) !== "payments_not_configured" && failures < RETRIES_WITHOUT_RESPONSE
  );
}

/** Milliseconds to wait before a retry. */
export function retryDelay(failures: number, error: unknown): number {
  if (error instanceof ApiError && error.retryAfter !== null) return error.retryAfter * 1000;
  return Math.min(400 * 2 ** failures, 4000);
}

/** The time after which an error asks to try again, as in "in 5 minutes". */
export function waitOf(error: unknown): string {
  const minutes = Math.ceil(((error instanceof ApiError ? error.retryAfter : null) ?? 60) / 60);
  return new Intl.RelativeTimeFormat("en").format(minutes, "minute");
}

/** The title and advice to show for an error that the page does not handle itself. */
export function explain(error: unknown): { title: string; advice: string } {
  if (error instanceof TransportError && error.status === null) {
    return {
      title: "No connection",
      advice: "Admit One could not be reached. Check your connection, then try again.",
    };
  }
  if (error instanceof UserChanged)
    return { title: "A different user is signed in now", advice: "Reload this page." };
  if (error instanceof ApiError && error.status === 429) {
    const minutes = Math.ceil((error.retryAfter ?? 60) / 60);
    const wait = new Intl.NumberFormat(undefined, { style: "unit", unit: "minute", unitDisplay: "long" });
    return { title: "Too many attempts", advice: `Please wait ${wait.format(minutes)}, then try again.` };
  }
  if (codeOf(error) === "email_not_verified") {
    return {
      title: "Confirm your e-mail address first",
      advice: "Open the link that we mailed to you, then try again.",
    };
  }
  if (error instanceof ProblemError && error.problem.status < 500) {
    const [first] = error.problem.errors;
    return {
      title: "The request was rejected",
      advice: `Reason: ${first?.message ?? error.problem.detail}.`,
    };
  }
  const request =
    error instanceof ProblemError
      ? ` If it happens again, please report it with the number ${error.problem.requestId}.`
      : "";
  return {
    title: "Something went wrong on our side",
    advice: `Try again in a moment.${request}`,
  };
}

/** The API's error message for one field of the body. */
export function fieldError(error: unknown, field: string): string | undefined {
  if (!(error instanceof ProblemError) || error.problem.status !== 400) return undefined;
  const message = error.problem.errors.find((each) => each.field === field)?.message;
  return message && asSentence(message);
}

/** The API's error message for the field of a new password, which it may also refuse as too easily guessed. */
export function newPasswordError(error: unknown, field: string): string | undefined {
  if (!(error instanceof ProblemError) || error.code !== "password_refused") return fieldError(error, field);
  return asSentence(error.problem.detail);
}

function asSentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
