/** A Vite plugin that fails the build if the first page needs more JavaScript than the budget. */

import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Bytes, gzipped. */
const BUDGET = 75 * 1000;

export interface Chunk {
  isEntry: boolean;
  imports: string[];
  code: string;
}

/** The gzipped size of the entry chunks and their static imports, in bytes. */
export function initialBytes(chunks: Record<string, Chunk>): number {
  const needed = new Set<string>();
  const add = (name: string): void => {
    const chunk = chunks[name];
    if (chunk === undefined || needed.has(name)) return;
    needed.add(name);
    chunk.imports.forEach(add);
  };
  for (const [name, chunk] of Object.entries(chunks)) if (chunk.isEntry) add(name);
  return [...needed].reduce((sum, name) => sum + gzipSync(chunks[name]?.code ?? "", { level: 9 }).length, 0);
}

/** The error message for a build over the budget; null otherwise. */
export function budgetError(bytes: number): string | null {
  if (bytes <= BUDGET) return null;
  return `The first page needs ${bytes} bytes of JavaScript (gzipped); the budget is ${BUDGET}.`;
}

export function budget(): Plugin {
  return {
    name: "budget",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const chunks = Object.entries(bundle).flatMap(([name, each]) =>
          each.type === "chunk" ? [[name, each] as const] : [],
        );
        const bytes = initialBytes(Object.fromEntries(chunks));
        const error = budgetError(bytes);
        if (error !== null) this.error(error);
        this.info(`The first page needs ${bytes} bytes of JavaScript, gzipped.`);
      },
    },
  };
}
