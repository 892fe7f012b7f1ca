/** Reads from the API, with their cache settings. Writes are in `mutations.ts`. */

import {
  infiniteQueryOptions,
  MutationCache,
  type Query,
  QueryCache,
  QueryClient,
  queryOptions,
} from "@tanstack/react-query";
import { api, fetchCached, unwrap } from "./client";
import { ApiError, codeOf, isSignedOut, retryDelay, shouldRetry } from "./errors";
import { callAs, PRIVATE, refetchUser } from "./session";
import type { OwnTicket, Payment, Ticket } from "./types";

/** Items per page of a list. */
const PAGE_SIZE = 20;

export function newQueryClient(): QueryClient {
  // The session can end or change at any time. Errors that may result from that refetch the user.
  const client = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, { queryKey }) => {
        const isForbidden = error instanceof ApiError && (error.status === 403 || error.status === 404);
        if (isSignedOut(error) || (isForbidden && queryKey[0] === PRIVATE)) void refetchUser(client);
      },
    }),
    mutationCache: new MutationCache({
      onError: (error) => {
        if (isSignedOut(error)) void refetchUser(client);
      },
    }),
    defaultOptions: {
      // Without a connection, calls fail and the page shows the error, instead of waiting silently.
      queries: { networkMode: "always", staleTime: 2000, retry: shouldRetry, retryDelay },
      mutations: { networkMode: "always", retry: shouldRetry, retryDelay },
    },
  });
  return client;
}

/**
 * A list with several loaded pages is not refetched when the window gets the focus or the page is mounted. It stays
 * cached for Back; any other visit starts with the first page (`useList`).
 */
export const LIST = {
  initialPageParam: null as string | null,
  getNextPageParam: ({ nextCursor }: { nextCursor: string | null }) => nextCursor,
  gcTime: 30 * 60_000,
  refetchOnMount: hasOnePage,
  refetchOnWindowFocus: hasOnePage,
  refetchOnReconnect: hasOnePage,
};

// biome-ignore lint/suspicious/noExplicitAny: any list
function hasOnePage({ state }: Query<any, any, any, any>): boolean {
  return state.isInvalidated || (state.data?.pages.length ?? 0) <= 1;
}

const pageParams = (cursor: string | null) => ({
  query: { limit: PAGE_SIZE, ...(cursor !== null && { cursor }) },
});

export const ticketsOnSale = infiniteQueryOptions({
  queryKey: ["tickets", "on-sale"],
  queryFn: ({ pageParam, signal }) =>
    unwrap(api.GET("/api/tickets", { params: pageParams(pageParam), signal, fetch: fetchCached })),
  ...LIST,
});

/** A ticket as everybody sees it. `isCurrent`: past CloudFront's cache, for a seller who is about to edit it. */
export const ticket = (id: string, { isCurrent = false } = {}) =>
  queryOptions({
    queryKey: ["tickets", id],
    queryFn: ({ signal }) => {
      const header = isCurrent ? { "Cache-Control": "no-cache" as const } : {};
      return unwrap(
        api.GET("/api/tickets/{id}", { params: { path: { id }, header }, signal, fetch: fetchCached }),
      );
    },
  });

export const ownTickets = (userId: string) =>
  infiniteQueryOptions({
    queryKey: [PRIVATE, userId, "tickets"],
    queryFn: ({ client, pageParam, signal }) =>
      callAs(
        client,
        userId,
        () => unwrap(api.GET("/api/tickets/mine", { params: pageParams(pageParam), signal })),
        ({ tickets }) => tickets.map(({ userID }) => userID),
      ),
    ...LIST,
  });

/** The ticket without the fields that only its seller may see. */
export function publicTicket({
  orderID: _,
  refund: __,
  refunding: ___,
  refundRequest: ____,
  pendingChange: _____,
  ...ticket
}: OwnTicket): Ticket {
  return ticket;
}

/**
 * A ticket with the fields that only its seller may see; null for other users. Refetched when the version changes. It
 * comes from no cache, so it replaces an older public ticket.
 */
export const ownTicket = (userId: string, { id, version }: Ticket) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "tickets", "one", id, version],
    queryFn: ({ client, signal }) =>
      callAs(
        client,
        userId,
        async () => {
          const query = { ticketID: id };
          const { tickets } = await unwrap(api.GET("/api/tickets/mine", { params: { query }, signal }));
          const own = tickets[0] ?? null;
          if (own !== null && own.version > version)
            client.setQueryData(ticket(id).queryKey, publicTicket(own));
          return own;
        },
        (ticket) => (ticket === null ? [] : [ticket.userID]),
      ),
  });

/** Prefix of the keys of all queries about the user's orders. */
const ordersKey = (userId: string) => [PRIVATE, userId, "orders"] as const;

export const ownOrders = (userId: string) =>
  infiniteQueryOptions({
    queryKey: [...ordersKey(userId), "list"],
    queryFn: ({ client, pageParam, signal }) =>
      callAs(
        client,
        userId,
        () => unwrap(api.GET("/api/orders", { params: pageParams(pageParam), signal })),
        ({ orders }) => orders.map(({ userID }) => userID),
      ),
    ...LIST,
  });

export const order = (userId: string, id: string) =>
  queryOptions({
    queryKey: [...ordersKey(userId), id],
    queryFn: ({ client, signal }) =>
      callAs(
        client,
        userId,
        () => unwrap(api.GET("/api/orders/{id}", { params: { path: { id } }, signal })),
        ({ userID }) => [userID],
      ),
  });

/** The user's order that holds or has bought a ticket; null if there is none. Refetched when the version changes. */
export const orderOfTicket = (userId: string, { id, version }: Ticket) =>
  queryOptions({
    queryKey: [...ordersKey(userId), "of", id, version],
    queryFn: ({ client, signal }) =>
      callAs(
        client,
        userId,
        async () => {
          const query = { ticketID: id };
          const { orders } = await unwrap(api.GET("/api/orders", { params: { query }, signal }));
          return orders[0] ?? null;
        },
        (order) => (order === null ? [] : [order.userID]),
      ),
  });

/** The order's payment; null if none was started. */
export const payment = (userId: string, orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "payments", orderId],
    queryFn: ({ client, signal }) =>
      callAs(client, userId, async (): Promise<Payment | null> => {
        try {
          return await unwrap(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
        } catch (error) {
          if (codeOf(error) === "payment_not_found") return null;
          throw error;
        }
      }),
    // Not cached: a page never shows an old payment.
    gcTime: 0,
  });

/**
 * Starts the order's payment. Starting it twice has no further effect, so this needs no Idempotency-Key. A payment that
 * was already open is read again from Stripe, because it may have been paid before a reload.
 */
export const startedPayment = (userId: string, orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "payments", orderId, "started"],
    queryFn: ({ client, signal }) =>
      callAs(client, userId, async (): Promise<Payment> => {
        const call = api.POST("/api/payments", { body: { orderId }, signal });
        const started = await unwrap(call);
        const isNew = (await call).response.status === 201;
        if (isNew || started.status !== "open") return started;
        return unwrap(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
      }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
