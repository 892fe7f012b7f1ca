/** Reads and writes of the user's own account: address, password, sessions, export, deletion. Signing in and out is in `mutations.ts`. */

import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useUser } from "../components/user";
import { accepted, api, unwrap } from "./client";
import { callAs, PRIVATE, refetchUser, setUser } from "./session";
import type { ChangeEmail, ChangePassword, Export, ResetPassword } from "./types";

const sessionsKey = (userId: string) => [PRIVATE, userId, "sessions"] as const;

/** The browsers and programs in which the user is signed in, newest first. */
export const sessions = (userId: string) =>
  queryOptions({
    queryKey: sessionsKey(userId),
    queryFn: ({ client, signal }) =>
      callAs(client, userId, async () => (await unwrap(api.GET("/api/users/sessions", { signal }))).sessions),
  });

/** Asks for a mail with a link that sets a new password. The response does not reveal whether the address is known. */
export function useForgotPassword() {
  return useMutation({
    mutationFn: (email: string) => accepted(api.POST("/api/users/password/forgot", { body: { email } })),
    retry: false,
  });
}

/** Sets a new password by the token of a mailed link, and signs in. */
export function useResetPassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ResetPassword) => unwrap(api.POST("/api/users/password/reset", { body })),
    retry: false,
    onSuccess: ({ token: _, ...user }) => setUser(client, user),
  });
}

/** Proves an address by the token of a mailed link: of a new account, or the new address of an existing one. */
export function useVerifyEmail() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (token: string) => unwrap(api.POST("/api/users/email/verify", { body: { token } })),
    retry: false,
    onSuccess: () => refetchUser(client),
  });
}

/** Mails the link that verifies the address again. */
export function useRequestVerification() {
  return useMutation({
    mutationFn: () => unwrap(api.POST("/api/users/email/verification")),
    retry: false,
  });
}

export function useChangePassword() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: (body: ChangePassword) =>
      callAs(client, user.id, () => unwrap(api.PUT("/api/users/password", { body }))),
    retry: false,
    onSuccess: () => client.invalidateQueries({ queryKey: sessionsKey(user.id) }),
  });
}

/** Asks for another address. It changes once the link that is mailed to it is used. */
export function useChangeEmail() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: (body: ChangeEmail) =>
      callAs(client, user.id, () => accepted(api.PUT("/api/users/email", { body }))),
    retry: false,
  });
}

/** Ends one session. If it is the current one, the user is signed out. */
export function useEndSession() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: ({ id }: { id: string; current: boolean }) =>
      callAs(client, user.id, () =>
        unwrap(api.DELETE("/api/users/sessions/{id}", { params: { path: { id } } })),
      ),
    onSuccess: (_nothing, { current }) =>
      current ? setUser(client, null) : client.invalidateQueries({ queryKey: sessionsKey(user.id) }),
  });
}

export function useEndAllSessions() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => unwrap(api.DELETE("/api/users/sessions")),
    onSuccess: () => setUser(client, null),
  });
}

/** Reads everything that the services keep about the user: all pages, joined. */
export function useExport() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: () => callAs(client, user.id, readExport),
  });
}

async function readExport(): Promise<Omit<Export, "nextCursor">> {
  const { nextCursor, ...all } = await unwrap(api.GET("/api/users/me/export"));
  let cursor = nextCursor;
  while (cursor !== null) {
    const page: Export = await unwrap(api.GET("/api/users/me/export", { params: { query: { cursor } } }));
    all.tickets.push(...page.tickets);
    all.orders.push(...page.orders);
    all.payments.push(...page.payments);
    // Each of these is complete on the pages that have it.
    if (page.recentHolds.length > 0) all.recentHolds = page.recentHolds;
    if (page.declinedCards.length > 0) all.declinedCards = page.declinedCards;
    cursor = page.nextCursor;
  }
  return all;
}

/**
 * Deletes the account. `leave` opens a public page before the user is signed out, because without a user private pages
 * redirect to the sign-in page.
 */
export function useDeleteAccount(leave: () => void | Promise<void>) {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: (password: string) =>
      callAs(client, user.id, () => accepted(api.DELETE("/api/users/me", { body: { password } }))),
    onSuccess: async () => {
      await leave();
      setUser(client, null);
    },
  });
}
