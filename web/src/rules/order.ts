import type { Order, Payment } from "../api/types";

/**
 * What an order is to its buyer:
 *
 *     payable ──► confirming ──► yours
 *        │            │
 *        ▼            ▼
 *     lapsed ───►   ended
 */
export type OrderState = "payable" | "confirming" | "yours" | "lapsed" | "ended";

export interface KnownOfOrder {
  order: Order;
  /** null if none was started, undefined if that is not known. */
  payment: Payment | null | undefined;
  /** Stripe has told this page that the card was accepted. */
  isConfirmed: boolean;
  /** By the server's clock. */
  hasLapsed: boolean;
}

/**
 * An authorisation that reaches the order after its deadline may still win, so a paid order is never shown as lapsed
 * before the server has said so.
 */
export function orderState({ order, payment, isConfirmed, hasLapsed }: KnownOfOrder): OrderState {
  switch (order.status) {
    case "completed":
      return "yours";
    case "awaiting:payment":
      return "confirming";
    case "cancelled":
    case "refunded":
      return "ended";
    case "created":
      if (isConfirmed || payment?.status === "authorized" || payment?.status === "captured")
        return "confirming";
      return hasLapsed ? "lapsed" : "payable";
  }
}

/** How often to ask for news of an order, in milliseconds; false for one that is settled. */
export function askAgainAfter(state: OrderState): number | false {
  switch (state) {
    case "confirming":
      return 1000;
    case "payable":
    case "lapsed":
      return 5000;
    case "yours":
    case "ended":
      return false;
  }
}

/** What became of the money of an order that has ended; nothing as long as that is not known. */
export function moneyOfEnded(payment: Payment | null | undefined): string {
  if (payment === undefined) return "";
  switch (payment?.status) {
    case "authorized":
    case "captured":
      return "Your payment is being returned in full.";
    case "refunded":
      return "Your payment was returned in full.";
    case "voided":
      return "You have not been charged. If your bank shows a reservation, it is released by itself.";
    default:
      return "You have not been charged.";
  }
}

/** An order's state in a few words, for a list. */
export const ORDER_WORDS: Record<OrderState, string> = {
  payable: "To be paid",
  confirming: "Payment is being confirmed",
  yours: "Yours",
  lapsed: "Not paid in time",
  ended: "Cancelled",
};
