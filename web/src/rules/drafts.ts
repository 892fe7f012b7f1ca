/**
 * What a user has typed into a form and not sent yet, kept for this tab's session: when a session of theirs ends, the
 * form is as it was once they have signed in again. Nobody else is shown it, and the next user's sign-in deletes it.
 */

export type Draft = Record<string, string>;

const PREFIX = "draft";

/** The place of one form's draft. */
export class DraftPlace {
  readonly #key: string;

  constructor(userId: string, form: string) {
    this.#key = [PREFIX, userId, form].join(" ");
  }

  read(): Draft | null {
    const text = storage()?.getItem(this.#key);
    return text == null ? null : JSON.parse(text);
  }

  keep(draft: Draft): void {
    try {
      storage()?.setItem(this.#key, JSON.stringify(draft));
    } catch {
      // The storage is full or forbidden: what was typed is then in the form alone.
    }
  }

  forget(): void {
    storage()?.removeItem(this.#key);
  }
}

/** Deletes all drafts but this user's. */
export function forgetDrafts(exceptOf: string | null): void {
  const kept = storage();
  if (kept === null) return;
  for (const key of Object.keys(kept)) {
    const [prefix, userId] = key.split(" ");
    if (prefix === PREFIX && userId !== exceptOf) kept.removeItem(key);
  }
}

function storage(): Storage | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
