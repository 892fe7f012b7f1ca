import type { RouteObject } from "react-router";
import { expect, test, vi } from "vitest";
import { prefetch } from "./prefetch";

function routes() {
  const [sell, edit] = [
    vi.fn(async () => ({})),
    vi.fn(async () => Promise.reject(new Error("no connection"))),
  ];
  const all: RouteObject[] = [
    {
      children: [
        { index: true },
        { path: "sell", lazy: sell },
        { path: "tickets/:id", children: [{ index: true }, { path: "edit", lazy: edit }] },
      ],
    },
  ];
  return { all, sell, edit };
}

test("the page at the path is loaded, no other", () => {
  const { all, sell, edit } = routes();
  prefetch(all, "/sell");
  expect(sell).toHaveBeenCalledOnce();
  expect(edit).not.toHaveBeenCalled();
});

test("a failure is ignored", async () => {
  const { all, edit } = routes();
  prefetch(all, "/tickets/1/edit");
  expect(edit).toHaveBeenCalledOnce();
  await Promise.resolve(); // an unhandled rejection would fail the run
});

test("pages without a chunk and unknown paths load nothing", () => {
  const { all, sell, edit } = routes();
  for (const path of ["/", "/tickets/1", "/nowhere"]) prefetch(all, path);
  expect(sell).not.toHaveBeenCalled();
  expect(edit).not.toHaveBeenCalled();
});
