/**
 * Calls to the API: typed by its OpenAPI document, with errors as exceptions. Responses also update the server's clock,
 * unless they may come from a cache.
 */

import createClient from "openapi-fetch";
import { type ClockOffset, refineOffset } from "../rules/clock";
import { ApiError, PendingError, ProblemError, TransportError } from "./errors";
import type { paths } from "./schema";
import type { Problem } from "./types";

/** API Gateway responds within 30 seconds or not at all. */
export const TIMEOUT_MILLIS = 35_000;

let clockOffset: ClockOffset | null = null;

/** The server's clock, in milliseconds. Before the first response: this device's clock. */
export function serverNow(): number {
  return Date.now() + (clockOffset === null ? 0 : (clockOffset.min + clockOffset.max) / 2);
}

/** CloudFront keeps a public ticket for a second, and a regional cache behind it for another. */
const CACHED_MILLIS = 3000;

let skipCacheUntil = Number.NEGATIVE_INFINITY;

/**
 * Makes reads of public tickets skip the edge's cache until it has nothing from before now: after a change that this
 * user has made or knows of, so that no page goes back to the state before it.
 */
export function skipCache(): void {
  skipCacheUntil = performance.now() + CACHED_MILLIS;
}

/**
 * For public tickets. The response may come from the edge's cache, or index.html may have requested it before this call, so
 * its `Date` is not the current time.
 */
export function fetchCached(request: Request): Promise<Response> {
  if (performance.now() < skipCacheUntil) request.headers.set("Cache-Control", "no-cache");
  return send(request);
}

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request, {
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MILLIS)]),
    });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new TransportError("no response", null, null);
  }
}

async function fetchAndReadClock(request: Request): Promise<Response> {
  const sentAt = Date.now();
  const response = await send(request);
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(date)) {
    clockOffset = refineOffset(clockOffset, { sentAt, receivedAt: Date.now(), date });
  }
  return response;
}

export const api = createClient<paths>({ baseUrl: "/", fetch: fetchAndReadClock });

type Call<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The data of a successful response. Throws ProblemError, PendingError or TransportError for any other. */
export async function unwrap<T>(call: Call<T>): Promise<T> {
  const { data, response } = await succeeded(call);
  if (response.status === 202) throw new PendingError(secondsToWait(response));
  return data as T;
}

/** Waits for a call that is complete once it is accepted (202). Throws as `unwrap`, but never PendingError. */
export async function accepted(call: Call<unknown>): Promise<void> {
  await succeeded(call);
}

async function succeeded<T>(call: Call<T>): Call<T> {
  let result: Awaited<typeof call>;
  try {
    result = await call;
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError"))
      throw error;
    throw new TransportError("a response that is not JSON", 502, null);
  }
  const { error, response } = result;
  if (response.ok) return result;
  if (isProblem(error)) throw new ProblemError(error, secondsToWait(response));
  throw new TransportError(`status ${response.status}`, response.status, secondsToWait(response));
}

function secondsToWait(response: Response): number | null {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return Number.isNaN(seconds) ? null : seconds;
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "errors" in body;
}
