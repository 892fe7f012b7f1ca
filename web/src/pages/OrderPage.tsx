import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, Navigate, useLocation, useParams } from "react-router";
import { skipCache } from "../api/client";
import { codeOf, explain, isNotFound } from "../api/errors";
import { useCancelOrder } from "../api/mutations";
import {
  order as orderQuery,
  payment as paymentQuery,
  startedPayment,
  ticket as ticketQuery,
} from "../api/queries";
import { notifyOtherTabs } from "../api/tabs";
import type { Order, Payment } from "../api/types";
import { Countdown, useHasPassed } from "../components/Countdown";
import { Failed, Loading, Notice, NoticeBox, OutOfDate } from "../components/states";
import { TicketCard } from "../components/TicketCard";
import { Title } from "../components/Title";
import { useUser } from "../components/user";
import { PaymentPanel } from "../payment/PaymentPanel";
import { AskForRefund } from "../refunds/AskForRefund";
import { formatDateTime } from "../rules/date";
import {
  type Confirmation,
  cancellationReason,
  describeMoney,
  describeRefunding,
  hadNoEffect,
  isWithoutTicket,
  type OrderState,
  orderState,
  pollInterval,
  REFUND_FAILED,
  WEBHOOK_MILLIS,
} from "../rules/order";
import { describeRefund } from "../rules/refund";
import { REFUND_TAKES } from "../rules/refunding";
import { NotFound } from "./NotFound";

export function OrderPage() {
  const { id = "" } = useParams();
  const { pathname, search } = useLocation();
  // After a redirect, Stripe returns with the client secret in the URL. Remove it.
  if (search !== "") return <Navigate to={pathname} replace />;
  return <LoadedOrder key={id} id={id} />;
}

function LoadedOrder({ id }: { id: string }) {
  const query = useQuery(orderQuery(useUser().id, id));
  if (isNotFound(query.error)) return <NotFound what="order" />;
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <>
      <Title text={query.data.ticket.title} />
      <OutOfDate query={query} />
      <KnownOrder order={query.data} />
    </>
  );
}

function KnownOrder({ order }: { order: Order }) {
  const user = useUser();
  useTicketOutdated(order);
  const hasLapsed = useHasPassed(order.expiresAt);
  const [confirmation, setConfirmation] = useState<Confirmation>({ kind: "none" });
  const isUnconfirmed = confirmation.kind === "none" || confirmation.kind === "no-effect";
  const isOpen = order.status === "created" && !hasLapsed && isUnconfirmed;
  const started = useQuery({ ...startedPayment(user.id, order.id), enabled: isOpen });
  const stateWith = (payment: Payment | null | undefined) =>
    orderState({
      order,
      payment: isOpen ? started.data : (payment ?? started.data),
      confirmation,
      hasLapsed,
    });
  const isConfirming = stateWith(undefined) === "confirming";
  const { since, isWebhookLate } = useConfirming(isConfirming);
  const latest = useQuery({
    ...paymentQuery(user.id, order.id),
    enabled: !isOpen && order.status !== "completed" && (!isConfirming || isWebhookLate),
    refetchInterval: ({ state }) => pollInterval(stateWith(state.data), state.data, Date.now() - since),
  });
  const { data: payment, dataUpdatedAt: receivedAt } = latest;
  const state = stateWith(payment);
  useQuery({
    ...orderQuery(user.id, order.id),
    refetchInterval: () => pollInterval(state, payment, Date.now() - since),
  });
  useEffect(() => {
    if (confirmation.kind !== "unknown") return;
    if (hadNoEffect(payment, { lostAt: confirmation.lostAt, receivedAt }))
      setConfirmation({ kind: "no-effect" });
  }, [confirmation, payment, receivedAt]);
  const onConfirmation = (outcome: Confirmation) => {
    setConfirmation(outcome);
    notifyOtherTabs({ kind: "changed" });
  };
  // The order may have been paid despite its deadline, so wait for the payment.
  if (state === "lapsed" && latest.isPending) return <Loading />;
  return (
    <>
      <TicketCard
        ticket={order.ticket}
        heading="h1"
        isUnavailable={isWithoutTicket(state)}
        stamp={STAMPS[state]}
      >
        <p>Ordered {formatDateTime(order.createdAt)}</p>
      </TicketCard>
      <div role="status">
        <OrderNotice order={order} state={state} payment={payment} />
      </div>
      {!isOpen && <OutOfDate query={latest} />}
      {state === "completed" && <AskForRefund order={order} />}
      {state === "payable" && (
        <>
          <Countdown from={order.createdAt} until={order.expiresAt} />
          {confirmation.kind === "no-effect" && (
            <Notice tone="error" title="We have not received a payment.">
              <p>
                Stripe’s response to your last attempt was lost, and no payment has followed. You can try
                again: an order is never charged twice.
              </p>
            </Notice>
          )}
          <PaymentPanel
            order={order}
            started={started}
            onConfirmed={() => onConfirmation({ kind: "accepted" })}
            onUnknownOutcome={() => onConfirmation({ kind: "unknown", lostAt: Date.now() })}
          />
          <Cancel order={order} />
        </>
      )}
    </>
  );
}

/** A ticket changes with its order. A page that shows it later reads it again, and past the edge's cache. */
function useTicketOutdated({ status, ticket }: Order): void {
  const client = useQueryClient();
  useEffect(() => {
    if (status === "created") return;
    skipCache();
    void client.invalidateQueries({ queryKey: ticketQuery(ticket.id).queryKey, refetchType: "none" });
  }, [client, status, ticket.id]);
}

/** When the page began to wait for a confirmed payment (milliseconds), and whether Stripe's webhook is late. */
function useConfirming(isConfirming: boolean): { since: number; isWebhookLate: boolean } {
  const [since, setSince] = useState(Date.now);
  const [isWebhookLate, setLate] = useState(false);
  useEffect(() => {
    setSince(Date.now());
    setLate(false);
    if (!isConfirming) return;
    const timer = setTimeout(() => setLate(true), WEBHOOK_MILLIS);
    return () => clearTimeout(timer);
  }, [isConfirming]);
  return { since, isWebhookLate };
}

const STAMPS: Partial<Record<OrderState, string>> = { completed: "Paid", refunded: "Refunded" };

/** The order's state in words. Screen readers announce changes. */
function OrderNotice({
  order,
  state,
  payment,
}: {
  order: Order;
  state: OrderState;
  payment: Payment | null | undefined;
}) {
  const ticketLink = (
    <Link className="button" to={`/tickets/${order.ticket.id}`}>
      View the ticket
    </Link>
  );
  switch (state) {
    case "payable":
      return null;
    case "checking":
      return (
        <NoticeBox tone="plain" title="We don’t know yet whether your card was charged.">
          <p>Stripe’s response was lost. We are checking, and this page will show the outcome.</p>
        </NoticeBox>
      );
    case "confirming":
      return (
        <NoticeBox tone="plain" title="Confirming your payment">
          <p>Your card was accepted. This takes a few seconds. You can close this page.</p>
        </NoticeBox>
      );
    case "completed":
      return (
        <NoticeBox tone="good" title="It’s yours.">
          <p>Your payment is complete, and nobody else can buy this ticket.</p>
          <Refunded order={order} />
          <Link className="button" to="/orders">
            See all your orders
          </Link>
        </NoticeBox>
      );
    case "refunding":
      return (
        <NoticeBox tone="plain" title="This order is being refunded.">
          <p>{describeRefunding(payment)} The ticket is yours until your money has gone back.</p>
          {order.refundDecision?.reason && <SellersReason reason={order.refundDecision.reason} />}
        </NoticeBox>
      );
    case "refunded":
      return (
        <NoticeBox tone="plain" title="This order was refunded.">
          {payment?.refundStatus === "failed" ? <p>{REFUND_FAILED}</p> : <Refunded order={order} />}
          {order.refundDecision?.reason && <SellersReason reason={order.refundDecision.reason} />}
          <p>The ticket is no longer yours.</p>
          <Link className="button" to="/orders">
            See all your orders
          </Link>
        </NoticeBox>
      );
    case "lapsed":
      return (
        <NoticeBox tone="plain" title="Your time to pay is up.">
          <p>Others can buy the ticket now. {describeMoney(state, payment)}</p>
          {ticketLink}
        </NoticeBox>
      );
    case "cancelled":
      return (
        <NoticeBox
          tone="plain"
          title={order.reason === "payment_failed" ? "The payment failed." : "This order was cancelled."}
        >
          <p>
            {cancellationReason(order)} {describeMoney(state, payment)}
          </p>
          {ticketLink}
        </NoticeBox>
      );
  }
}

function Refunded({ order: { refund, ticket } }: { order: Order }) {
  if (!refund) return null;
  return (
    <p>
      {describeRefund(refund, { currency: ticket.currency, to: "your card" })} {REFUND_TAKES}
    </p>
  );
}

function SellersReason({ reason }: { reason: string }) {
  return (
    <p>
      The seller wrote: <q dir="auto">{reason}</q>
    </p>
  );
}

function Cancel({ order }: { order: Order }) {
  const cancel = useCancelOrder(order);
  const isPaid = codeOf(cancel.error) === "order_paid";
  const { title, advice } = explain(cancel.error);
  return (
    <div className="actions">
      {cancel.isError && (
        <Notice tone="error" title={isPaid ? "Too late to cancel." : title}>
          <p>{isPaid ? "This order is already paid, or the payment is in progress." : advice}</p>
        </Notice>
      )}
      <button type="button" className="link" onClick={() => cancel.mutate()} disabled={cancel.isPending}>
        {cancel.isPending ? "Cancelling" : "Cancel the order"}
      </button>
    </div>
  );
}
