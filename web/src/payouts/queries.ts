/** Calls about a seller's money: the fee, the payout account, the earnings. */

import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";
import { LIST } from "../api/queries";
import { callAs, PRIVATE } from "../api/session";
import type { Earning } from "../api/types";
import { useUser } from "../components/user";
import { soldAt } from "../rules/earnings";

/** What the marketplace keeps of a sale. */
export const fee = queryOptions({
  queryKey: ["fee"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/fee", { signal })),
  staleTime: 60_000,
});

/** The user's account at Stripe. The API reads it again from Stripe while it is not ready. */
export const payoutAccount = (userId: string) =>
  queryOptions({
    queryKey: [PRIVATE, userId, "payout-account"],
    queryFn: ({ client, signal }) =>
      callAs(client, userId, () => unwrap(api.GET("/api/payouts/account", { signal }))),
  });

/** Makes the user's account, if there is none, and a new link to Stripe's pages. Nothing happens twice: no key is needed. */
export function useConnect() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: () => callAs(client, user.id, () => unwrap(api.POST("/api/payouts/account"))),
  });
}

/** Days as in "2026-11-28", in UTC, both included. */
export interface Days {
  from: string;
  to: string;
}

/** The user's earnings from orders of some days, as a CSV file. */
export function useEarningsFile() {
  const client = useQueryClient();
  const user = useUser();
  return useMutation({
    mutationFn: (query: Days) =>
      callAs(client, user.id, () =>
        unwrap(api.GET("/api/payouts/export", { params: { query }, parseAs: "blob" })),
      ),
  });
}

/** Items per page of the list, and per call for the chart. */
const [LIST_PAGE, CHART_PAGE] = [20, 100];

/** Calls after which the chart has the latest sales only. */
const MAX_CHART_CALLS = 10;

const earningsPage = (limit: number, cursor: string | null, signal: AbortSignal) =>
  unwrap(
    api.GET("/api/payouts", {
      params: { query: { limit, ...(cursor !== null && { cursor }) } },
      signal,
    }),
  );

const earningsKey = (userId: string) => [PRIVATE, userId, "earnings"] as const;

export const ownEarnings = (userId: string) =>
  infiniteQueryOptions({
    queryKey: [...earningsKey(userId), "list"],
    queryFn: ({ client, pageParam, signal }) =>
      callAs(client, userId, () => earningsPage(LIST_PAGE, pageParam, signal)),
    ...LIST,
  });

/** The user's sales since a time, newest first. `isComplete` is false if there are too many to read them all. */
export const recentEarnings = (userId: string, since: number) =>
  queryOptions({
    queryKey: [...earningsKey(userId), "since", since],
    queryFn: ({ client, signal }) =>
      callAs(client, userId, async () => {
        const earnings: Earning[] = [];
        let cursor: string | null = null;
        for (let call = 0; call < MAX_CHART_CALLS; call += 1) {
          const { payouts, nextCursor } = await earningsPage(CHART_PAGE, cursor, signal);
          earnings.push(...payouts);
          const last = payouts.at(-1);
          if (nextCursor === null || (last !== undefined && soldAt(last) < since))
            return { earnings, isComplete: true };
          cursor = nextCursor;
        }
        return { earnings, isComplete: false };
      }),
  });
