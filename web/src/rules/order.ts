import type { Order, Payment } from "../api/types";

/**
 * What an order is to its buyer:
 *
 *     payable ◄──► checking ──► confirming ──► yours ──► refunded
 *        │            │             │
 *        ▼            ▼             ▼
 *     lapsed ──────────────────►  ended
 */
export type OrderState = "payable" | "checking" | "confirming" | "yours" | "refunded" | "lapsed" | "ended";

/** What has become of this page's last call to Stripe with a card. `lostAt`: milliseconds, by this device's clock. */
export type Confirmation =
  | { kind: "none" | "accepted" | "came to nothing" }
  | { kind: "unknown"; lostAt: number };

export interface KnownOfOrder {
  order: Order;
  /** null if none was started, undefined if that is not known. */
  payment: Payment | null | undefined;
  confirmation: Confirmation;
  /** By the server's clock. */
  hasLapsed: boolean;
}

/**
 * An authorisation that reaches the order after its deadline may still win, so a paid order is never shown as lapsed
 * before the server has said so.
 */
export function orderState({ order, payment, confirmation, hasLapsed }: KnownOfOrder): OrderState {
  switch (order.status) {
    case "completed":
      return "yours";
    case "refunded":
      return "refunded";
    case "awaiting:payment":
      return "confirming";
    case "cancelled":
      return "ended";
    case "created":
      if (payment?.status === "authorized" || payment?.status === "captured") return "confirming";
      if (confirmation.kind === "accepted") return "confirming";
      if (confirmation.kind === "unknown") return "checking";
      return hasLapsed ? "lapsed" : "payable";
  }
}

/** How often to ask for news of an order, in milliseconds; false for one that is settled. */
export function askAgainAfter(state: OrderState, payment: Payment | null | undefined): number | false {
  switch (state) {
    case "checking":
      return 2000;
    case "confirming":
      return 1000;
    case "payable":
    case "lapsed":
      return 5000;
    case "ended":
      return isMoneySettled(payment) ? false : 2000;
    case "yours":
    case "refunded":
      return false;
  }
}

/** Whether nothing more will become of the money of an order that has ended. */
function isMoneySettled(payment: Payment | null | undefined): boolean {
  return payment === null || ["voided", "failed", "refunded"].includes(payment?.status ?? "");
}

/** How long "no payment" must be Stripe's answer after one of its answers got lost: the call may still be under way. */
const LOST_CALL_LASTS = 6000;

/** Whether a call whose answer got lost at `lostAt` has come to nothing, by an answer at `answeredAt`. */
export function cameToNothing(
  payment: Payment | null | undefined,
  { lostAt, answeredAt }: { lostAt: number; answeredAt: number },
): boolean {
  return payment?.status === "open" && answeredAt >= lostAt + LOST_CALL_LASTS;
}

/**
 * What became of the money of an order that has lapsed or ended. Each sentence has a word of the server's behind it:
 * what is not known is not said.
 */
export function moneyOfEnded(state: OrderState, payment: Payment | null | undefined): string {
  switch (payment?.status) {
    case undefined:
      return payment === null ? NOT_CHARGED : "Whether anything was charged is being checked.";
    case "open":
      return state === "ended" ? "The payment is being closed." : "No payment has been made so far.";
    case "authorized":
      return "The amount that is reserved on your card is being released.";
    case "captured":
      return "Your payment is being returned in full.";
    case "refunded":
      return "Your payment was returned.";
    case "voided":
      return `${NOT_CHARGED} If your bank shows a reservation, it is released by itself.`;
    case "failed":
      return NOT_CHARGED;
  }
}

const NOT_CHARGED = "You have not been charged.";

/** Why an order has ended, as its buyer would say it. */
export function endedBecause({ reason }: Order): string {
  switch (reason) {
    case "cancelled_by_buyer":
      return "You cancelled it.";
    case "expired":
      return "It was not paid in time.";
    case "payment_failed":
      return "Your payment could not be completed.";
    default:
      return "";
  }
}

/** An order's state in a few words, for a list. */
export function orderInWords(state: OrderState, { reason }: Order): string {
  if (state === "ended" && reason) return ENDED_WORDS[reason];
  return ORDER_WORDS[state];
}

const ORDER_WORDS: Record<OrderState, string> = {
  payable: "To be paid",
  checking: "Payment is being checked",
  confirming: "Payment is being confirmed",
  yours: "Yours",
  refunded: "Refunded",
  lapsed: "Time to pay is up",
  ended: "Cancelled",
};

const ENDED_WORDS: Record<NonNullable<Order["reason"]>, string> = {
  cancelled_by_buyer: "Cancelled by you",
  expired: "Not paid in time",
  payment_failed: "Payment failed",
};
