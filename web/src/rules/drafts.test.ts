import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DraftStorage, deleteDrafts } from "./drafts";

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

const storage = (user: string) => new DraftStorage(user, "sell");

test("only its user can read a draft", () => {
  storage("ann").save({ title: "Opera" });
  expect(storage("ann").read()).toEqual({ title: "Opera" });
  expect(storage("bob").read()).toBeNull();
  storage("ann").delete();
  expect(storage("ann").read()).toBeNull();
});

test("another user's sign-in deletes a draft, a sign-out deletes all drafts", () => {
  sessionStorage.setItem("other", "kept");
  storage("ann").save({ title: "Opera" });
  storage("bob").save({ title: "Ballet" });
  deleteDrafts("bob");
  expect(storage("ann").read()).toBeNull();
  expect(storage("bob").read()).toEqual({ title: "Ballet" });
  deleteDrafts(null);
  expect(storage("bob").read()).toBeNull();
  expect(sessionStorage.getItem("other")).toBe("kept");
});

test("without storage, drafts are neither saved nor an error", () => {
  vi.stubGlobal("sessionStorage", undefined);
  storage("ann").save({ title: "Opera" });
  expect(storage("ann").read()).toBeNull();
  deleteDrafts(null);
});
