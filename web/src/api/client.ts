/** Every call to the API: typed by its OpenAPI document, with errors as exceptions and the server's clock on the side. */

import createClient from "openapi-fetch";
import { type Lead, narrow } from "../rules/clock";
import { ApiError, Refusal, Unanswered, Undecided } from "./errors";
import type { paths } from "./schema";
import type { Problem } from "./types";

/** In milliseconds: API Gateway answers within 30 seconds, or not at all. */
export const LONGEST_WAIT = 35_000;

let lead: Lead | null = null;

/** The server's clock, in milliseconds; this device's own until the first answer. */
export function serverNow(): number {
  return Date.now() + (lead === null ? 0 : (lead.least + lead.most) / 2);
}

async function fetchAndReadClock(request: Request): Promise<Response> {
  const sentAt = Date.now();
  let response: Response;
  try {
    response = await fetch(request, {
      signal: AbortSignal.any([request.signal, AbortSignal.timeout(LONGEST_WAIT)]),
    });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new Unanswered("no answer", null, null);
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isNaN(date)) lead = narrow(lead, { sentAt, receivedAt: Date.now(), date });
  return response;
}

export const api = createClient<paths>({ baseUrl: "/", fetch: fetchAndReadClock });

/** What the API answered. Throws Refusal, Undecided or Unanswered. */
export async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  let result: Awaited<typeof call>;
  try {
    result = await call;
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError"))
      throw error;
    throw new Unanswered("an answer that is no JSON", 502, null);
  }
  const { data, error, response } = result;
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  if (response.status === 202) throw new Undecided(retryAfter);
  if (response.ok) return data as T;
  if (isProblem(error)) throw new Refusal(error, retryAfter);
  throw new Unanswered(`status ${response.status}`, response.status, retryAfter);
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "errors" in body;
}
