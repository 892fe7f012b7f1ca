import type { Order, Payment } from "../api/types";

/**
 * The state of an order as its page shows it:
 *
 *     payable ◄──► checking ──► confirming ──► completed ──► refunding ──► refunded
 *        │            │             │              └───────────────────────▲
 *        ▼            ▼             ▼
 *     lapsed ──────────────────► cancelled
 */
export type OrderState =
  | "payable"
  | "checking"
  | "confirming"
  | "completed"
  | "refunding"
  | "refunded"
  | "lapsed"
  | "cancelled";

/**
 * The outcome of this page's last attempt to confirm the payment with a card. `unknown`: Stripe's response was lost, at
 * `lostAt` (milliseconds, by this device's clock). `no-effect`: it was lost, and no payment followed.
 */
export type Confirmation = { kind: "none" | "accepted" | "no-effect" } | { kind: "unknown"; lostAt: number };

export interface OrderFacts {
  order: Order;
  /** null: no payment was started. undefined: not known. */
  payment: Payment | null | undefined;
  confirmation: Confirmation;
  /** Whether the deadline has passed, by the server's clock. */
  hasLapsed: boolean;
}

/**
 * The state to show. An authorisation that arrives after the deadline may still complete the order, so an order with an
 * accepted card is not shown as lapsed before the server has decided.
 */
export function orderState({ order, payment, confirmation, hasLapsed }: OrderFacts): OrderState {
  switch (order.status) {
    case "completed":
      return "completed";
    case "refunding":
      return "refunding";
    case "refunded":
      return "refunded";
    case "awaiting:payment":
      return "confirming";
    case "cancelled":
      return "cancelled";
    case "created":
      if (payment?.status === "authorized" || payment?.status === "captured") return "confirming";
      if (confirmation.kind === "accepted") return "confirming";
      if (confirmation.kind === "unknown") return "checking";
      return hasLapsed ? "lapsed" : "payable";
  }
}

/** Whether the buyer does not have the ticket, and will not get it by this order. */
export function isWithoutTicket(state: OrderState): boolean {
  return ["lapsed", "cancelled", "refunded"].includes(state);
}

/**
 * How long Stripe's webhook may take, in milliseconds. After that the payment is read too, which makes the API read it
 * from Stripe.
 */
export const WEBHOOK_MILLIS = 3000;

/**
 * How long to wait before an order is read again, in milliseconds. false: it is not polled. `waitedFor` is how long the
 * page has waited for a confirmed payment or a refund: the intervals grow.
 *
 * A payable order is read again when the window gets the focus, at its deadline, and after a confirmation. If it was
 * cancelled on another device, confirming its payment fails.
 */
export function pollInterval(
  state: OrderState,
  payment: Payment | null | undefined,
  waitedFor = 0,
): number | false {
  switch (state) {
    case "checking":
      return 2000;
    case "confirming":
      return Math.min(Math.max(500, waitedFor / 2), 5000);
    case "refunding":
      return Math.min(Math.max(2000, waitedFor / 2), 60_000); // it may take days
    case "lapsed":
      return 5000;
    case "payable":
      return false;
    case "cancelled":
      if (payment?.refundStatus === "pending") return 60_000; // it may take days
      return isMoneySettled(payment) ? false : 2000;
    case "completed":
    case "refunded":
      return false;
  }
}

/** Whether the payment of a cancelled order cannot change any more. */
function isMoneySettled(payment: Payment | null | undefined): boolean {
  if (payment?.refundStatus === "failed") return true;
  return payment === null || ["voided", "failed", "refunded"].includes(payment?.status ?? "");
}

/** A call whose response was lost may still be in progress at Stripe for this long. */
const LOST_CALL_MILLIS = 6000;

/** Whether a call whose response was lost at `lostAt` had no effect, given the payment as received at `receivedAt`. */
export function hadNoEffect(
  payment: Payment | null | undefined,
  { lostAt, receivedAt }: { lostAt: number; receivedAt: number },
): boolean {
  return payment?.status === "open" && receivedAt >= lostAt + LOST_CALL_MILLIS;
}

/** Describes the payment of a lapsed or cancelled order. Every statement rests on a response of the API. */
export function describeMoney(state: OrderState, payment: Payment | null | undefined): string {
  if (payment?.refundStatus === "failed") return REFUND_FAILED;
  switch (payment?.status) {
    case undefined:
      return payment === null ? NOT_CHARGED : "We are checking whether you were charged.";
    case "open":
      return state === "cancelled" ? "The payment is being closed." : "No payment has been made so far.";
    case "authorized":
      return "The amount reserved on your card is being released.";
    case "captured":
      return "Your payment is being refunded in full.";
    case "refunded":
      return "Your payment was refunded.";
    case "voided":
      return `${NOT_CHARGED} If your bank shows a reserved amount, it will be released automatically.`;
    case "failed":
      return NOT_CHARGED;
  }
}

/** Describes the payment of an order that is being refunded. What was refunded in part before is part of the whole. */
export function describeRefunding(payment: Payment | null | undefined): string {
  if (payment?.refundStatus === "failed") return REFUND_FAILED;
  return "Your money is being returned to your card in full.";
}

export const REFUND_FAILED =
  "Your bank did not accept the refund. We have been notified and will return your money in another way.";
const NOT_CHARGED = "You have not been charged.";

/** Why an order was cancelled, as a sentence; empty if the reason is not known. */
export function cancellationReason({ reason }: Order): string {
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

/** A short label of an order's state, for lists. */
export function orderLabel(state: OrderState, { reason }: Order): string {
  if (state === "cancelled" && reason) return CANCELLATION_LABELS[reason];
  return ORDER_LABELS[state];
}

const ORDER_LABELS: Record<OrderState, string> = {
  payable: "Not paid yet",
  checking: "Checking your payment",
  confirming: "Confirming your payment",
  completed: "Paid",
  refunding: "Being refunded",
  refunded: "Refunded",
  lapsed: "Time to pay is up",
  cancelled: "Cancelled",
};

const CANCELLATION_LABELS: Record<NonNullable<Order["reason"]>, string> = {
  cancelled_by_buyer: "Cancelled by you",
  expired: "Not paid in time",
  payment_failed: "Payment failed",
};
