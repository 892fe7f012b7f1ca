/** Calls about a seller's money: the fee, and the payout account. */

import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, unwrap } from "../api/client";
import { callAs, PRIVATE } from "../api/session";
import { useUser } from "../components/user";

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
