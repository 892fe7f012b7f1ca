/** What the pages change. Each write carries the key of its intention, and the other tabs hear of it. */

import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { useUser } from "../components/user";
import type { DraftPlace } from "../rules/drafts";
import { answer, api } from "./client";
import { useIntention } from "./intention";
import { order, orderOfTicket, ticket } from "./queries";
import { becomes, callFor, PRIVATE } from "./session";
import { tellOtherTabs } from "./tabs";
import type { Order, OwnTicket, SignIn, Ticket, TicketEdit, TicketIn } from "./types";

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

export function usePutOnSale(place: DraftPlace) {
  const client = useQueryClient();
  const user = useUser();
  const intention = useIntention(place);
  return useMutation({
    mutationFn: (body: TicketIn) =>
      callFor(client, user.id, () =>
        answer(api.POST("/api/tickets", { body, params: { header: intention.headersFor(body) } })),
      ),
    onSettled: (_ticket, error) => intention.answered(error),
    onSuccess: (made) => ticketChanged(client, made),
  });
}

export function useEditTicket(id: string) {
  const client = useQueryClient();
  const user = useUser();
  const intention = useIntention();
  return useMutation({
    mutationFn: (body: TicketEdit) =>
      callFor(client, user.id, () =>
        answer(
          api.PUT("/api/tickets/{id}", {
            body,
            params: { path: { id }, header: intention.headersFor(body) },
          }),
        ),
      ),
    onSettled: (_ticket, error) => intention.answered(error),
    onSuccess: (edited) => ticketChanged(client, edited),
    onError: () => refresh(client),
  });
}

export function useWithdrawTicket(id: string) {
  const client = useQueryClient();
  const user = useUser();
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      callFor(client, user.id, () =>
        answer(
          api.DELETE("/api/tickets/{id}", { params: { path: { id }, header: intention.headersFor(null) } }),
        ),
      ),
    onSettled: (_nothing, error) => intention.answered(error),
    onSuccess: () => refresh(client),
    onError: () => refresh(client),
  });
}

/** Orders a ticket at the price that its buyer was shown. */
export function useBuy() {
  const client = useQueryClient();
  const user = useUser();
  const intention = useIntention();
  return useMutation({
    mutationFn: ({ id, price }: Ticket) => {
      const body = { ticketID: id, price };
      return callFor(
        client,
        user.id,
        () => answer(api.POST("/api/orders", { body, params: { header: intention.headersFor(body) } })),
        ({ userID }) => [userID],
      );
    },
    onSettled: (_order, error) => intention.answered(error),
    onSuccess: (placed, ticket) => {
      client.setQueryData(order(user.id, placed.id).queryKey, placed);
      client.setQueryData(orderOfTicket(user.id, ticket).queryKey, placed);
      refresh(client);
    },
    onError: () => refresh(client),
  });
}

export function useCancelOrder({ id }: Order) {
  const client = useQueryClient();
  const user = useUser();
  const intention = useIntention();
  return useMutation({
    mutationFn: () =>
      callFor(client, user.id, () =>
        answer(
          api.DELETE("/api/orders/{id}", { params: { path: { id }, header: intention.headersFor(null) } }),
        ),
      ),
    onSettled: (_nothing, error) => intention.answered(error),
    // Still "cancelling" until the page can show that it is.
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: order(user.id, id).queryKey });
      refresh(client);
    },
    onError: () => refresh(client),
  });
}

/** Something has changed, or what was refused was shown wrongly: all that may be about it is read again, in all tabs. */
function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ["tickets"] });
  void client.invalidateQueries({ queryKey: [PRIVATE] });
  tellOtherTabs({ kind: "changed" });
}

function ticketChanged(
  client: QueryClient,
  { orderID: _, refund: __, pendingChange: ___, ...changed }: OwnTicket,
): void {
  // What only its seller may see stays out of what everybody is shown.
  client.setQueryData(ticket(changed.id).queryKey, changed);
  refresh(client);
}
