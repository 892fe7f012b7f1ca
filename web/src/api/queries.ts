/** What the pages read, and how long it counts as fresh. What they change is in `changes.ts`. */

import {
  infiniteQueryOptions,
  MutationCache,
  type Query,
  QueryCache,
  QueryClient,
  queryOptions,
} from "@tanstack/react-query";
import { answer, api } from "./client";
import { ApiError, codeOf, isSignedOut, shouldTryAgain, tryAgainAfter } from "./errors";
import { callFor, checkUser, PRIVATE } from "./session";
import type { Payment, Ticket } from "./types";

/** For a page that shows a list: how many it loads at a time. */
const PAGE = 20;

export function newQueryClient(): QueryClient {
  // A session can end at any time, and another begin: whoever is told so reads anew who is signed in.
  const client = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, { queryKey }) => {
        const isRefused = error instanceof ApiError && (error.status === 403 || error.status === 404);
        if (isSignedOut(error) || (isRefused && queryKey[0] === PRIVATE)) void checkUser(client);
      },
    }),
    mutationCache: new MutationCache({
      onError: (error) => {
        if (isSignedOut(error)) void checkUser(client);
      },
    }),
    defaultOptions: {
      // Calls are made without a connection too: they fail, and the page says so instead of waiting silently.
      queries: { networkMode: "always", staleTime: 2000, retry: shouldTryAgain, retryDelay: tryAgainAfter },
      mutations: { networkMode: "always", retry: shouldTryAgain, retryDelay: tryAgainAfter },
    },
  });
  return client;
}

/**
 * A list that was loaded page by page is not loaded again as a whole because its window gets the focus; it stays for
 * Back, and starts with its first page on the next visit (`useList`).
 */
const LIST = {
  initialPageParam: null as string | null,
  getNextPageParam: ({ nextCursor }: { nextCursor: string | null }) => nextCursor,
  gcTime: 30 * 60_000,
  refetchOnMount: hasOnePage,
  refetchOnWindowFocus: hasOnePage,
  refetchOnReconnect: hasOnePage,
};

// biome-ignore lint/suspicious/noExplicitAny: of whatever list
function hasOnePage({ state }: Query<any, any, any, any>): boolean {
  return state.isInvalidated || (state.data?.pages.length ?? 0) <= 1;
}

const part = (cursor: string | null) => ({ query: { limit: PAGE, ...(cursor !== null && { cursor }) } });

export const ticketsOnSale = infiniteQueryOptions({
  queryKey: ["tickets", "on-sale"],
  queryFn: ({ pageParam, signal }) => answer(api.GET("/api/tickets", { params: part(pageParam), signal })),
  ...LIST,
});

export const ticket = (id: string) =>
  queryOptions({
    queryKey: ["tickets", id],
    queryFn: ({ signal }) => answer(api.GET("/api/tickets/{id}", { params: { path: { id } }, signal })),
  });

export const ownTickets = (userId: string) =>
  infiniteQueryOptions({
    queryKey: [PRIVATE, userId, "tickets"],
    queryFn: ({ client, pageParam, signal }) =>
      callFor(
        client,
        userId,
        () => answer(api.GET("/api/tickets/mine", { params: part(pageParam), signal })),
        ({ tickets }) => tickets.map(({ userID }) => userID),
      ),
    ...LIST,
  });

/** A ticket as its seller sees it; null if it is not theirs. Read anew when the ticket changes. */
export const ownTicket = (userId: string, { id, version }: Ticket) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "tickets", "one", id, version],
    queryFn: ({ client, signal }) =>
      callFor(
        client,
        userId,
        async () => {
          const query = { ticketID: id };
          const { tickets } = await answer(api.GET("/api/tickets/mine", { params: { query }, signal }));
          return tickets[0] ?? null;
        },
        (ticket) => (ticket === null ? [] : [ticket.userID]),
      ),
  });

/** Key of all that is read of the user's orders. */
const orders = (userId: string) => [PRIVATE, userId, "orders"] as const;

export const ownOrders = (userId: string) =>
  infiniteQueryOptions({
    queryKey: [...orders(userId), "list"],
    queryFn: ({ client, pageParam, signal }) =>
      callFor(
        client,
        userId,
        () => answer(api.GET("/api/orders", { params: part(pageParam), signal })),
        ({ orders }) => orders.map(({ userID }) => userID),
      ),
    ...LIST,
  });

export const order = (userId: string, id: string) =>
  queryOptions({
    queryKey: [...orders(userId), id],
    queryFn: ({ client, signal }) =>
      callFor(
        client,
        userId,
        () => answer(api.GET("/api/orders/{id}", { params: { path: { id } }, signal })),
        ({ userID }) => [userID],
      ),
  });

/** The user's own order that holds or has bought a ticket; null if there is none. Read anew when the ticket changes. */
export const orderOfTicket = (userId: string, { id, version }: Ticket) =>
  queryOptions({
    queryKey: [...orders(userId), "of", id, version],
    queryFn: ({ client, signal }) =>
      callFor(
        client,
        userId,
        async () => {
          const query = { ticketID: id };
          const { orders } = await answer(api.GET("/api/orders", { params: { query }, signal }));
          return orders[0] ?? null;
        },
        (order) => (order === null ? [] : [order.userID]),
      ),
  });

/** The order's payment as it stands; null if none was started. */
export const payment = (userId: string, orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "payments", orderId],
    queryFn: ({ client, signal }) =>
      callFor(client, userId, async (): Promise<Payment | null> => {
        try {
          return await answer(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
        } catch (error) {
          if (codeOf(error) === "payment_not_found") return null;
          throw error;
        }
      }),
    // What is known of money is never shown before it was read anew.
    gcTime: 0,
  });

/**
 * The order's payment, started if it is not. Starting twice is harmless, so this needs no Idempotency-Key; one that was
 * open already is read again from Stripe, for it may have been paid before a reload, or before its buyer came back.
 */
export const startedPayment = (userId: string, orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "payments", orderId, "started"],
    queryFn: ({ client, signal }) =>
      callFor(client, userId, async (): Promise<Payment> => {
        const call = api.POST("/api/payments", { body: { orderId }, signal });
        const started = await answer(call);
        const isNew = (await call).response.status === 201;
        if (isNew || started.status !== "open") return started;
        return answer(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
      }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
