/**
 * The signed-in user. Cached data belongs to one user: as soon as any tab learns that the user has changed or signed
 * out, every tab deletes the previous user's data before it renders anything else.
 */

import { type QueryClient, queryOptions } from "@tanstack/react-query";
import { deleteDrafts } from "../rules/drafts";
import { api, unwrap } from "./client";
import { UserChanged } from "./errors";
import { notifyOtherTabs } from "./tabs";
import type { CurrentUser, User } from "./types";

/** First part of the query keys of private data. The second part is the user's id. */
export const PRIVATE = "private";

export const currentUser = queryOptions({
  queryKey: ["current-user"],
  queryFn: async ({ client, signal }): Promise<User | null> => {
    const { currentUser: user }: CurrentUser = await unwrap(api.GET("/api/users/currentuser", { signal }));
    const known = client.getQueryData<User | null>(currentUser.queryKey);
    if (known !== undefined && known?.id !== user?.id) {
      removePrivateData(client);
      notifyOtherTabs({ kind: "user", user, isSignOut: false });
    }
    if (user !== null) deleteDrafts(user.id);
    return user;
  },
  staleTime: 60_000,
  // The session may have changed without a message to this tab.
  refetchOnWindowFocus: "always",
});

/** Sets the user after a sign-in or sign-out in this tab, and notifies the other tabs. */
export function setUser(client: QueryClient, user: User | null): void {
  applyUser(client, user, user === null);
  notifyOtherTabs({ kind: "user", user, isSignOut: user === null });
}

/**
 * Sets the user after a change in this or another tab. `isSignOut`: the user signed out, as opposed to a session that
 * expired; drafts are kept only in the second case.
 */
export function applyUser(client: QueryClient, user: User | null, isSignOut: boolean): void {
  // A response in flight may still be about the previous user.
  void client.cancelQueries({ queryKey: currentUser.queryKey });
  if (client.getQueryData(currentUser.queryKey)?.id !== user?.id) removePrivateData(client);
  if (isSignOut || user !== null) deleteDrafts(user?.id ?? null);
  client.setQueryData(currentUser.queryKey, user);
}

function removePrivateData(client: QueryClient): void {
  void client.cancelQueries({ queryKey: [PRIVATE] });
  client.removeQueries({ queryKey: [PRIVATE] });
}

/**
 * Makes a call as a user, and throws UserChanged unless the same user is signed in before and after it. `ownersOf`
 * returns the ids of the users to whom the result belongs, because the session may have changed before this tab
 * learned of it.
 */
export async function callAs<T>(
  client: QueryClient,
  userId: string,
  call: () => Promise<T>,
  ownersOf: (result: T) => string[] = () => [],
): Promise<T> {
  assertUser(client, userId);
  const result = await call();
  assertUser(client, userId);
  if (ownersOf(result).some((owner) => owner !== userId)) {
    void refetchUser(client);
    throw new UserChanged();
  }
  return result;
}

function assertUser(client: QueryClient, userId: string): void {
  const known = client.getQueryData(currentUser.queryKey);
  if (known !== undefined && known?.id !== userId) throw new UserChanged();
}

export function refetchUser(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ queryKey: currentUser.queryKey });
}

/**
 * Refetches the user when the window gets the focus, and when the browser restores the page from its back/forward
 * cache. A restored page stays hidden until the user is known.
 */
export function refetchUserOnReturn(client: QueryClient, root: HTMLElement): void {
  window.addEventListener("focus", () => void refetchUser(client));
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
