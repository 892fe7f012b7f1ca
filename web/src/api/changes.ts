/** What the pages change. Each write carries the key of its intention, and the other tabs hear of it. */

import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "./client";
import { useIntention } from "./intention";
import { currentUser, order, ownOrders, ownTickets, PRIVATE, ticket } from "./queries";
import { tellOtherTabs } from "./tabs";
import type { Order, SignIn, Ticket, TicketIn, User } from "./types";

export function useSignIn(page: "signin" | "signup") {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: SignIn) =>
      page === "signin"
        ? answer(api.POST("/api/users/signin", { body }))
        : answer(api.POST("/api/users/signup", { body })),
    retry: false,
    onSuccess: ({ id, email }) => becomes(client, { id, email }),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => answer(api.POST("/api/users/signout")),
    onSuccess: () => becomes(client, null),
  });
}

export function usePutOnSale() {
  const client = useQueryClient();
  const intention = useIntention();
  return useMutation({
    mutationFn: (body: TicketIn) =>
      answer(api.POST("/api/tickets", { body, params: { header: intention.headersFor(body) } })),
    onSettled: (_ticket, error) => intention.answered(error),
    onSuccess: (made) => ticketsChanged(client, made),
  });
}

export function useEditTicket(id: string) {
  const client = useQueryClient();
  const intention = useIntention();
  return useMutation({
    mutationFn: (body: TicketIn) =>
      answer(
        api.PUT("/api/tickets/{id}", { body, params: { path: { id }, header: intention.headersFor(body) } }),
      ),
    onSettled: (_ticket, error) => intention.answered(error),
    onSuccess: (edited) => ticketsChanged(client, edited),
    onError: () => refresh(client),
  });
}

export function useWithdrawTicket(id: string) {
  const client = useQueryClient();
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      answer(
        api.DELETE("/api/tickets/{id}", { params: { path: { id }, header: intention.headersFor(null) } }),
      ),
    onSettled: (_nothing, error) => intention.answered(error),
    onSuccess: () => ticketsChanged(client, null),
    onError: () => refresh(client),
  });
}

/** Orders a ticket at the price that its buyer was shown. */
export function useBuy() {
  const client = useQueryClient();
  const intention = useIntention();
  return useMutation({
    mutationFn: ({ id, price }: Ticket) => {
      const body = { ticketID: id, price };
      return answer(api.POST("/api/orders", { body, params: { header: intention.headersFor(body) } }));
    },
    onSettled: (_order, error) => intention.answered(error),
    onSuccess: (placed) => orderChanged(client, placed),
    onError: () => refresh(client),
  });
}

export function useCancelOrder({ id, ticket: { id: ticketId } }: Order) {
  const client = useQueryClient();
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      answer(
        api.DELETE("/api/orders/{id}", { params: { path: { id }, header: intention.headersFor(null) } }),
      ),
    onSettled: (_nothing, error) => intention.answered(error),
    onSuccess: async () => {
      tellOtherTabs();
      await client.invalidateQueries({ queryKey: order(id).queryKey });
      void client.invalidateQueries({ queryKey: ownOrders.queryKey, exact: true });
      void client.invalidateQueries({ queryKey: ticket(ticketId).queryKey });
    },
    onError: () => refresh(client),
  });
}

/** Somebody signed in or out: what the last user saw is forgotten. */
function becomes(client: QueryClient, user: User | null): void {
  client.removeQueries({ queryKey: [PRIVATE] });
  client.setQueryData(currentUser.queryKey, user);
  tellOtherTabs();
}

/** What was refused was shown wrongly: read it again. */
function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ["tickets"] });
  void client.invalidateQueries({ queryKey: [PRIVATE] });
}

function ticketsChanged(client: QueryClient, changed: Ticket | null): void {
  if (changed !== null) client.setQueryData(ticket(changed.id).queryKey, changed);
  void client.invalidateQueries({ queryKey: ["tickets"] });
  void client.invalidateQueries({ queryKey: ownTickets.queryKey });
  tellOtherTabs();
}

function orderChanged(client: QueryClient, changed: Order): void {
  client.setQueryData(order(changed.id).queryKey, changed);
  void client.invalidateQueries({ queryKey: ["tickets"] });
  void client.invalidateQueries({ queryKey: ownOrders.queryKey, exact: true });
  tellOtherTabs();
}
