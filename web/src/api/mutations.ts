/** Writes to the API. Each has an `Idempotency-Key`, and notifies the other tabs. */

import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { useUser } from "../components/user";
import type { DraftStorage } from "../rules/drafts";
import { api, skipCache, unwrap } from "./client";
import { useIdempotencyKey } from "./idempotencyKey";
import { order, orderOfTicket, publicTicket, ticket } from "./queries";
import { callAs, PRIVATE, setUser } from "./session";
import { notifyOtherTabs } from "./tabs";
import type { Order, OwnTicket, SignIn, Ticket, TicketEdit, TicketIn } from "./types";

export function useSignIn(page: "signin" | "signup") {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: SignIn) =>
      page === "signin"
        ? unwrap(api.POST("/api/users/signin", { body }))
        : unwrap(api.POST("/api/users/signup", { body })),
    retry: false,
    onSuccess: ({ token: _, ...user }) => setUser(client, user),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    // `keepalive`: the call completes even if the tab is closed or another page opened meanwhile.
    mutationFn: () => unwrap(api.POST("/api/users/signout", { keepalive: true })),
    onSuccess: () => setUser(client, null),
  });
}

export function useCreateTicket(storage: DraftStorage) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey(storage);
  return useMutation({
    mutationFn: (body: TicketIn) =>
      callAs(client, user.id, () =>
        unwrap(api.POST("/api/tickets", { body, params: { header: key.headersFor(body) } })),
      ),
    onSettled: (_ticket, error) => key.onSettled(error),
    onSuccess: (created) => ticketChanged(client, created),
  });
}

export function useEditTicket(id: string) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: (body: TicketEdit) =>
      callAs(client, user.id, () =>
        unwrap(
          api.PUT("/api/tickets/{id}", {
            body,
            params: { path: { id }, header: key.headersFor(body) },
          }),
        ),
      ),
    onSettled: (_ticket, error) => key.onSettled(error),
    onSuccess: (edited) => ticketChanged(client, edited),
    onError: () => refresh(client),
  });
}

export function useWithdrawTicket(id: string) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () =>
      callAs(client, user.id, () =>
        unwrap(api.DELETE("/api/tickets/{id}", { params: { path: { id }, header: key.headersFor(null) } })),
      ),
    onSettled: (_nothing, error) => key.onSettled(error),
    onSuccess: () => refresh(client),
    onError: () => refresh(client),
  });
}

/** Orders a ticket at the price that the page shows. */
export function usePlaceOrder() {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: ({ id, price }: Ticket) => {
      const body = { ticketID: id, price };
      return callAs(
        client,
        user.id,
        () => unwrap(api.POST("/api/orders", { body, params: { header: key.headersFor(body) } })),
        ({ userID }) => [userID],
      );
    },
    onSettled: (_order, error) => key.onSettled(error),
    onSuccess: (placed, ticket) => {
      // The caller leaves the page, so nothing is refetched at once; the order's page needs no more than the response.
      refresh(client, "none");
      client.setQueryData(order(user.id, placed.id).queryKey, placed);
      client.setQueryData(orderOfTicket(user.id, ticket).queryKey, placed);
    },
    onError: () => refresh(client),
  });
}

export function useCancelOrder({ id }: Order) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () =>
      callAs(client, user.id, () =>
        unwrap(api.DELETE("/api/orders/{id}", { params: { path: { id }, header: key.headersFor(null) } })),
      ),
    onSettled: (_nothing, error) => key.onSettled(error),
    // The mutation stays pending until the page has the cancelled order.
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: order(user.id, id).queryKey });
      refresh(client);
    },
    onError: () => refresh(client),
  });
}

/**
 * Marks tickets and private data as stale in all tabs: after a write, and after an error, which may mean stale data. What
 * is on a page is refetched at once; with `none`, in this tab, only when a page shows it again.
 */
export function refresh(client: QueryClient, refetchType: "active" | "none" = "active"): void {
  skipCache();
  void client.invalidateQueries({ queryKey: ["tickets"], refetchType });
  void client.invalidateQueries({ queryKey: [PRIVATE], refetchType });
  notifyOtherTabs({ kind: "changed" });
}

export function ticketChanged(client: QueryClient, changed: OwnTicket): void {
  client.setQueryData(ticket(changed.id).queryKey, publicTicket(changed));
  refresh(client);
}
