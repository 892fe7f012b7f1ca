/** What the pages read, and how long it counts as fresh. What they change is in `changes.ts`. */

import {
  infiniteQueryOptions,
  MutationCache,
  QueryCache,
  QueryClient,
  queryOptions,
} from "@tanstack/react-query";
import { answer, api } from "./client";
import { codeOf, isSignedOut, shouldTryAgain, tryAgainAfter } from "./errors";
import type { CurrentUser, Payment, User } from "./types";

/** For a page that shows a list: how many it loads at a time. */
const PAGE = 20;

export function newQueryClient(): QueryClient {
  // A session can end at any time: whoever is told so reads anew who is signed in.
  const onError = (error: unknown): void => {
    if (isSignedOut(error)) void client.invalidateQueries({ queryKey: currentUser.queryKey });
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      // Calls are made without a connection too: they fail, and the page says so instead of waiting silently.
      queries: { networkMode: "always", staleTime: 2000, retry: shouldTryAgain, retryDelay: tryAgainAfter },
      mutations: { networkMode: "always", retry: shouldTryAgain, retryDelay: tryAgainAfter },
    },
  });
  return client;
}

/** Keys of what only its user may see: forgotten when somebody else signs in. */
export const PRIVATE = "private";

export const currentUser = queryOptions({
  queryKey: ["current-user"],
  queryFn: async ({ signal }): Promise<User | null> => {
    const told: CurrentUser = await answer(api.GET("/api/users/currentuser", { signal }));
    return told.currentUser;
  },
  staleTime: 60_000,
});

export const ticketsOnSale = infiniteQueryOptions({
  queryKey: ["tickets", "on-sale"],
  queryFn: ({ pageParam, signal }) =>
    answer(
      api.GET("/api/tickets", {
        params: { query: pageParam === null ? { limit: PAGE } : { limit: PAGE, cursor: pageParam } },
        signal,
      }),
    ),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.nextCursor,
});

export const ticket = (id: string) =>
  queryOptions({
    queryKey: ["tickets", id],
    queryFn: ({ signal }) => answer(api.GET("/api/tickets/{id}", { params: { path: { id } }, signal })),
  });

export const ownTickets = infiniteQueryOptions({
  queryKey: [PRIVATE, "tickets"],
  queryFn: ({ pageParam, signal }) =>
    answer(
      api.GET("/api/tickets/mine", {
        params: { query: pageParam === null ? { limit: PAGE } : { limit: PAGE, cursor: pageParam } },
        signal,
      }),
    ),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.nextCursor,
});

export const ownOrders = infiniteQueryOptions({
  queryKey: [PRIVATE, "orders"],
  queryFn: ({ pageParam, signal }) =>
    answer(
      api.GET("/api/orders", {
        params: { query: pageParam === null ? { limit: PAGE } : { limit: PAGE, cursor: pageParam } },
        signal,
      }),
    ),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.nextCursor,
});

export const order = (id: string) =>
  queryOptions({
    queryKey: [PRIVATE, "orders", id],
    queryFn: ({ signal }) => answer(api.GET("/api/orders/{id}", { params: { path: { id } }, signal })),
  });

/** The order's payment as it stands; null if none was started. */
export const payment = (orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, "payments", orderId],
    queryFn: async ({ signal }): Promise<Payment | null> => {
      try {
        return await answer(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
      } catch (error) {
        if (codeOf(error) === "payment_not_found") return null;
        throw error;
      }
    },
  });

/**
 * The order's payment, started if it is not. Starting twice is harmless, so this needs no Idempotency-Key; one that was
 * open already is read again from Stripe, for it may have been paid before a reload.
 */
export const startedPayment = (orderId: string) =>
  queryOptions({
    queryKey: [PRIVATE, "payments", orderId, "started"],
    queryFn: async ({ signal }): Promise<Payment> => {
      const call = api.POST("/api/payments", { body: { orderId }, signal });
      const started = await answer(call);
      const isNew = (await call).response.status === 201;
      if (isNew || started.status !== "open") return started;
      return answer(api.GET("/api/payments/{orderId}", { params: { path: { orderId } }, signal }));
    },
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
