/**
 * Drafts: form input that has not been sent yet, in the tab's session storage. If the session expires, the form is
 * restored after the same user has signed in again. Another user never sees it, and their sign-in deletes it.
 */

export type Draft = Record<string, string>;

const PREFIX = "draft";

/** Stores the draft of one form of one user. */
export class DraftStorage {
  readonly #key: string;

  constructor(userId: string, form: string) {
    this.#key = [PREFIX, userId, form].join(" ");
  }

  read(): Draft | null {
    const text = sessionStorageOrNull()?.getItem(this.#key);
    return text == null ? null : JSON.parse(text);
  }

  save(draft: Draft): void {
    try {
      sessionStorageOrNull()?.setItem(this.#key, JSON.stringify(draft));
    } catch {
      // The storage is full or blocked. The input remains in the form only.
    }
  }

  delete(): void {
    sessionStorageOrNull()?.removeItem(this.#key);
  }
}

/** Deletes all drafts except those of one user. */
export function deleteDrafts(exceptUserId: string | null): void {
  const storage = sessionStorageOrNull();
  if (storage === null) return;
  for (const key of Object.keys(storage)) {
    const [prefix, userId] = key.split(" ");
    if (prefix === PREFIX && userId !== exceptUserId) storage.removeItem(key);
  }
}

function sessionStorageOrNull(): Storage | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
