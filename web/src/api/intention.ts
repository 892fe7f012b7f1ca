import { useState } from "react";
import { isFinal } from "./errors";

/**
 * The `Idempotency-Key` of what a user is about to do: the same for a double click and for every try whose outcome is
 * not known, so that it is done once at most. Another body, or a try after a final answer, is another intention.
 */
export class Intention {
  #made: { body: string; key: string } | null = null;

  headersFor(body: unknown): { "Idempotency-Key": string } {
    const text = JSON.stringify(body ?? null);
    if (this.#made?.body !== text) this.#made = { body: text, key: crypto.randomUUID() };
    return { "Idempotency-Key": this.#made.key };
  }

  /** Call it with what came of a try: null for success. */
  answered(error: unknown): void {
    if (error === null || isFinal(error)) this.#made = null;
  }
}

export function useIntention(): Intention {
  return useState(() => new Intention())[0];
}
