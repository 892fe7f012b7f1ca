import { useState } from "react";
import type { DraftPlace } from "../rules/drafts";
import { isFinal } from "./errors";

/**
 * The `Idempotency-Key` of what a user is about to do: the same for a double click and for every try whose outcome is
 * not known, so that it is done once at most. Another body, or a try after a final answer, is another intention.
 *
 * With a place it also outlives a reload of the page and the end of the session, as what was typed does.
 */
export class Intention {
  readonly #place: DraftPlace | null;
  #made: { body: string; key: string } | null;

  constructor(place: DraftPlace | null = null) {
    this.#place = place;
    const { body, key } = place?.read() ?? {};
    this.#made = body !== undefined && key !== undefined ? { body, key } : null;
  }

  headersFor(body: unknown): { "Idempotency-Key": string } {
    const text = JSON.stringify(body ?? null);
    if (this.#made?.body !== text) {
      this.#made = { body: text, key: crypto.randomUUID() };
      this.#place?.keep(this.#made);
    }
    return { "Idempotency-Key": this.#made.key };
  }

  /** Call it with what came of a try: null for success. */
  answered(error: unknown): void {
    if (error !== null && !isFinal(error)) return;
    this.#made = null;
    this.#place?.forget();
  }
}

export function useIntention(place: DraftPlace | null = null): Intention {
  return useState(() => new Intention(place))[0];
}
