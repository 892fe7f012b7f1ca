import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DraftPlace, forgetDrafts } from "./drafts";

beforeEach(() => {
  const stored: Record<string, string> = {};
  Object.defineProperties(stored, {
    getItem: { value: (key: string) => stored[key] ?? null },
    setItem: { value: (key: string, text: string) => Object.assign(stored, { [key]: text }) },
    removeItem: { value: (key: string) => Reflect.deleteProperty(stored, key) },
  });
  vi.stubGlobal("sessionStorage", stored);
});
afterEach(() => vi.unstubAllGlobals());

const place = (user: string) => new DraftPlace(user, "sell");

test("a draft is found again by its user, and by nobody else", () => {
  place("ann").keep({ title: "Opera" });
  expect(place("ann").read()).toEqual({ title: "Opera" });
  expect(place("bob").read()).toBeNull();
  place("ann").forget();
  expect(place("ann").read()).toBeNull();
});

test("another user's sign-in deletes it, a sign-out deletes all, and nothing else is touched", () => {
  sessionStorage.setItem("other", "kept");
  place("ann").keep({ title: "Opera" });
  place("bob").keep({ title: "Ballet" });
  forgetDrafts("bob");
  expect(place("ann").read()).toBeNull();
  expect(place("bob").read()).toEqual({ title: "Ballet" });
  forgetDrafts(null);
  expect(place("bob").read()).toBeNull();
  expect(sessionStorage.getItem("other")).toBe("kept");
});

test("a browser without storage keeps nothing, and fails at nothing", () => {
  vi.stubGlobal("sessionStorage", undefined);
  place("ann").keep({ title: "Opera" });
  expect(place("ann").read()).toBeNull();
  forgetDrafts(null);
});
