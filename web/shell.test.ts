import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { onSaleDocument, pageDocument } from "./shell";

const source = readFileSync(new URL("index.html", import.meta.url), "utf8");

test("the document of the first page has the list and its preload", () => {
  const html = onSaleDocument(source);
  expect(html).toContain("<h1>Tickets on sale</h1>");
  expect(html).toContain('rel="preload"');
  expect(html).toContain('aria-current="page"');
  expect(html).not.toContain("<!--");
});

test("the document of other pages has the frame only", () => {
  const html = pageDocument(source);
  expect(html).toContain('<nav aria-label="Main">');
  expect(html).toContain('<main id="main">');
  expect(html).not.toContain("<h1>");
  expect(html).not.toContain("skeleton");
  expect(html).not.toContain("preload");
  expect(html).not.toContain("aria-current");
  expect(html).not.toContain("<!--");
});
