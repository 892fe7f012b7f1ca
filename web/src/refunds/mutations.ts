/** Writes about refunds. A refund and a request for one are complete once they are accepted (202): the money follows. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { accepted, api, unwrap } from "../api/client";
import { useIdempotencyKey } from "../api/idempotencyKey";
import { refresh, ticketChanged } from "../api/mutations";
import { callAs } from "../api/session";
import { useUser } from "../components/user";

/** Refunds an order in full, as the seller of its ticket. The buyer reads the reason; it may be null. */
export function useRefund(orderId: string) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: (reason: string | null) => {
      const body = { reason };
      const params = { path: { id: orderId }, header: key.headersFor(body) };
      return callAs(client, user.id, () => accepted(api.POST("/api/orders/{id}/refund", { params, body })));
    },
    onSettled: (_nothing, error) => {
      key.onSettled(error);
      refresh(client);
    },
  });
}

/** Asks the seller of an order's ticket for a refund, as its buyer. */
export function useAskForRefund(orderId: string) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: (reason: string) => {
      const body = { reason };
      const params = { path: { id: orderId }, header: key.headersFor(body) };
      return callAs(client, user.id, () =>
        accepted(api.POST("/api/orders/{id}/refund-request", { params, body })),
      );
    },
    onSettled: (_nothing, error) => {
      key.onSettled(error);
      refresh(client);
    },
  });
}

/** Puts a ticket on sale again whose sale was refunded. */
export function useRelistTicket(id: string) {
  const client = useQueryClient();
  const user = useUser();
  const key = useIdempotencyKey();
  return useMutation({
    mutationFn: () => {
      const params = { path: { id }, header: key.headersFor(null) };
      return callAs(client, user.id, () => unwrap(api.POST("/api/tickets/{id}/relist", { params })));
    },
    onSettled: (_ticket, error) => key.onSettled(error),
    onSuccess: (relisted) => ticketChanged(client, relisted),
    onError: () => refresh(client),
  });
}
