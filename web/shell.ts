/**
 * A Vite plugin that writes the two documents of the client from index.html. Both contain the frame of a page, which is
 * painted before the script is loaded. index.html, for `/`, also has the list of tickets on sale as blank shapes and
 * starts to load the list; page.html, for all other pages, has an empty content.
 */

import type { Plugin } from "vite";

const ON_SALE = /\s*<!-- on sale: begin -->(.*?)<!-- on sale: end -->/gs;
const CURRENT = ' class="active" aria-current="page"';

/** The document of the tickets on sale. */
export function onSaleDocument(html: string): string {
  return html.replaceAll(ON_SALE, (_, content: string) => content.trimEnd());
}

/** The document of all other pages. */
export function pageDocument(html: string): string {
  return html.replaceAll(ON_SALE, "").replace(CURRENT, "");
}

export function shell(): Plugin {
  return {
    name: "shell",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const index = bundle["index.html"];
        if (index?.type !== "asset") this.error("index.html was not built.");
        const html = String(index.source);
        index.source = onSaleDocument(html);
        this.emitFile({ type: "asset", fileName: "page.html", source: pageDocument(html) });
      },
    },
  };
}
