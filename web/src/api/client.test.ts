import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { accepted, fetchCached, serverNow, skipCache, unwrap } from "./client";
import { PendingError } from "./errors";

const URL = "http://127.0.0.1/api/tickets";
let sent: Request[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(request);
    return new Response("{}", { headers: { Date: new Date(0).toUTCString() } });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const sentCacheControl = async () => {
  await fetchCached(new Request(URL));
  return sent.at(-1)?.headers.get("Cache-Control");
};

test("public tickets may come from the cache", async () => {
  expect(await sentCacheControl()).toBeNull();
});

test("after a change they do not, until the cache has forgotten the state before it", async () => {
  skipCache();
  expect(await sentCacheControl()).toBe("no-cache");
  vi.advanceTimersByTime(2999);
  expect(await sentCacheControl()).toBe("no-cache");
  vi.advanceTimersByTime(1);
  expect(await sentCacheControl()).toBeNull();
});

test("the date of a response that may be cached does not set the clock", async () => {
  await sentCacheControl();
  expect(serverNow()).toBe(Date.now());
});

test("202 is a success only where the call says so", async () => {
  const call = () => Promise.resolve({ response: new Response(null, { status: 202 }) });
  await expect(unwrap(call())).rejects.toThrow(PendingError);
  await expect(accepted(call())).resolves.toBeUndefined();
});
