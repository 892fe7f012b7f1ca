/**
 * Whose browser this is. Cached data belongs to a user: as soon as any tab learns that somebody else is signed in, or
 * nobody, every tab forgets what is private before it shows anything more.
 */

import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { forgetDrafts } from "../rules/drafts";
import { answer, api } from "./client";
import { UserChanged } from "./errors";
import { tellOtherTabs } from "./tabs";
import type { CurrentUser, User } from "./types";

/** First part of the key of what only its user may see; the second is the user's id. */
export const PRIVATE = "private";

export const currentUser = queryOptions({
  queryKey: ["current-user"],
  queryFn: async ({ client, signal }): Promise<User | null> => {
    const { currentUser: user }: CurrentUser = await answer(api.GET("/api/users/currentuser", { signal }));
    const known = client.getQueryData<User | null>(currentUser.queryKey);
    if (known !== undefined && known?.id !== user?.id) {
      forgetPrivate(client);
      tellOtherTabs({ kind: "user", user, isSignOut: false });
    }
    if (user !== null) forgetDrafts(user.id);
    return user;
  },
  staleTime: 60_000,
  // The session may have changed without a word to this tab.
  refetchOnWindowFocus: "always",
});

/** Somebody signed in or out here. */
export function becomes(client: QueryClient, user: User | null): void {
  follow(client, user, user === null);
  tellOtherTabs({ kind: "user", user, isSignOut: user === null });
}

/** Somebody signed in or out, here or in another tab. `isSignOut`: they left, instead of a session that has ended. */
export function follow(client: QueryClient, user: User | null, isSignOut: boolean): void {
  // An answer that is still under way may be about the user before.
  void client.cancelQueries({ queryKey: currentUser.queryKey });
  if (client.getQueryData(currentUser.queryKey)?.id !== user?.id) forgetPrivate(client);
  if (isSignOut || user !== null) forgetDrafts(user?.id ?? null);
  client.setQueryData(currentUser.queryKey, user);
}

function forgetPrivate(client: QueryClient): void {
  void client.cancelQueries({ queryKey: [PRIVATE] });
  client.removeQueries({ queryKey: [PRIVATE] });
}

/**
 * Makes a call for a user, who must be signed in before and after it. `ownersOf` names the users whom the answer is
 * about: the session may have changed before this tab heard of it.
 */
export async function callFor<T>(
  client: QueryClient,
  userId: string,
  call: () => Promise<T>,
  ownersOf: (answered: T) => string[] = () => [],
): Promise<T> {
  check(client, userId);
  const answered = await call();
  check(client, userId);
  if (ownersOf(answered).some((owner) => owner !== userId)) {
    void checkUser(client);
    throw new UserChanged();
  }
  return answered;
}

function check(client: QueryClient, userId: string): void {
  const known = client.getQueryData(currentUser.queryKey);
  if (known !== undefined && known?.id !== userId) throw new UserChanged();
}

/** Reads anew who is signed in. */
export function checkUser(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ queryKey: currentUser.queryKey });
}

/**
 * A page that the browser kept while its user was elsewhere shows nothing of theirs before it is known who is signed
 * in now; a window that gets the focus checks it too.
 */
export function checkUserOnReturn(client: QueryClient, root: HTMLElement): void {
  window.addEventListener("focus", () => void checkUser(client));
  window.addEventListener("pagehide", ({ persisted }) => {
    root.hidden = persisted;
  });
  window.addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    void client.resetQueries({ queryKey: currentUser.queryKey }).finally(() => {
      root.hidden = false;
    });
  });
}
