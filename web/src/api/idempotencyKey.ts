import { useState } from "react";
import type { DraftStorage } from "../rules/drafts";
import { isFinal } from "./errors";

/**
 * The `Idempotency-Key` of one write. Double clicks and retries after an unknown outcome reuse the key, so the write
 * takes effect at most once. A different body, or a new attempt after a final response, gets a new key.
 *
 * With a storage, the key also survives a reload and the end of the session.
 */
export class IdempotencyKey {
  readonly #storage: DraftStorage | null;
  #current: { body: string; key: string } | null;

  constructor(storage: DraftStorage | null = null) {
    this.#storage = storage;
    const { body, key } = storage?.read() ?? {};
    this.#current = body !== undefined && key !== undefined ? { body, key } : null;
  }

  headersFor(body: unknown): { "Idempotency-Key": string } {
    const text = JSON.stringify(body ?? null);
    if (this.#current?.body !== text) {
      this.#current = { body: text, key: crypto.randomUUID() };
      this.#storage?.save(this.#current);
    }
    return { "Idempotency-Key": this.#current.key };
  }

  /** Call this after each attempt, with its error or null. A final outcome discards the key. */
  onSettled(error: unknown): void {
    if (error !== null && !isFinal(error)) return;
    this.#current = null;
    this.#storage?.delete();
  }
}

export function useIdempotencyKey(storage: DraftStorage | null = null): IdempotencyKey {
  return useState(() => new IdempotencyKey(storage))[0];
}
