/** The build fails when a visitor's first page needs more JavaScript than this. */

import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const BUDGET = 130 * 1000;

export interface Chunk {
  isEntry: boolean;
  imports: string[];
  code: string;
}

/** Bytes, gzipped, of the entries and all that they import before anything is shown. */
export function initialBytes(chunks: Record<string, Chunk>): number {
  const needed = new Set<string>();
  const need = (name: string): void => {
    const chunk = chunks[name];
    if (chunk === undefined || needed.has(name)) return;
    needed.add(name);
    chunk.imports.forEach(need);
  };
  for (const [name, chunk] of Object.entries(chunks)) if (chunk.isEntry) need(name);
  return [...needed].reduce((sum, name) => sum + gzipSync(chunks[name]?.code ?? "", { level: 9 }).length, 0);
}

/** What is wrong with this many bytes, if anything is. */
export function overBudget(bytes: number): string | null {
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
        const problem = overBudget(bytes);
        if (problem !== null) this.error(problem);
        this.info(`The first page needs ${bytes} bytes of JavaScript, gzipped.`);
      },
    },
  };
}
