import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, Navigate, useLocation, useParams } from "react-router";
import { useCancelOrder } from "../api/changes";
import { codeOf, explain, isNotFound } from "../api/errors";
import { order as orderQuery, payment as paymentQuery, startedPayment } from "../api/queries";
import { tellOtherTabs } from "../api/tabs";
import type { Order, Payment } from "../api/types";
import { Countdown, useHasPassed } from "../components/Countdown";
import { Failed, Loading, Notice, OutOfDate, Said } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { useUser } from "../components/user";
import { PaymentPanel } from "../payment/PaymentPanel";
import { asDayAndTime } from "../rules/date";
import {
  askAgainAfter,
  type Confirmation,
  cameToNothing,
  endedBecause,
  moneyOfEnded,
  type OrderState,
  orderState,
} from "../rules/order";
import { refundInWords } from "../rules/refund";
import { NotFound } from "./NotFound";

export function OrderPage() {
  const { id = "" } = useParams();
  const { pathname, search } = useLocation();
  // Stripe sends a buyer back with the client secret in the address, where it should not stay.
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
      <title>{`${query.data.ticket.title} · Admit One`}</title>
      <OutOfDate query={query} />
      <KnownOrder order={query.data} />
    </>
  );
}

function KnownOrder({ order }: { order: Order }) {
  const user = useUser();
  const hasLapsed = useHasPassed(order.expiresAt);
  const [confirmation, setConfirmation] = useState<Confirmation>({ kind: "none" });
  const isUnconfirmed = confirmation.kind === "none" || confirmation.kind === "came to nothing";
  const isOpen = order.status === "created" && !hasLapsed && isUnconfirmed;
  const started = useQuery({ ...startedPayment(user.id, order.id), enabled: isOpen });
  const stateWith = (payment: Payment | null | undefined) =>
    orderState({
      order,
      payment: isOpen ? started.data : (payment ?? started.data),
      confirmation,
      hasLapsed,
    });
  // Asking for the payment makes the API look at Stripe, so a webhook that is late holds nothing up.
  const latest = useQuery({
    ...paymentQuery(user.id, order.id),
    enabled: !isOpen && order.status !== "completed" && order.status !== "refunded",
    refetchInterval: ({ state }) => askAgainAfter(stateWith(state.data), state.data),
  });
  const { data: payment, dataUpdatedAt: answeredAt } = latest;
  const state = stateWith(payment);
  useQuery({ ...orderQuery(user.id, order.id), refetchInterval: askAgainAfter(state, payment) });
  useEffect(() => {
    if (confirmation.kind !== "unknown") return;
    if (cameToNothing(payment, { lostAt: confirmation.lostAt, answeredAt }))
      setConfirmation({ kind: "came to nothing" });
  }, [confirmation, payment, answeredAt]);
  const hear = (heard: Confirmation) => {
    setConfirmation(heard);
    tellOtherTabs({ kind: "changed" });
  };
  // Past its deadline it may be paid all the same: nothing is said before that is known.
  if (state === "lapsed" && latest.isPending) return <Loading />;
  return (
    <>
      <TicketStub
        ticket={order.ticket}
        heading="h1"
        isSpent={state === "ended" || state === "lapsed" || state === "refunded"}
        stamp={STAMPS[state]}
      >
        <p>Ordered {asDayAndTime(order.createdAt)}</p>
      </TicketStub>
      <div role="status">
        <News order={order} state={state} payment={payment} />
      </div>
      {!isOpen && <OutOfDate query={latest} />}
      {state === "payable" && (
        <>
          <Countdown from={order.createdAt} until={order.expiresAt} />
          {confirmation.kind === "came to nothing" && (
            <Notice tone="error" title="No payment has reached us.">
              <p>
                Stripe’s answer to your last try got lost, and no payment has followed. You can try again: an
                order is never paid twice.
              </p>
            </Notice>
          )}
          <PaymentPanel
            order={order}
            started={started}
            onConfirmed={() => hear({ kind: "accepted" })}
            onLost={() => hear({ kind: "unknown", lostAt: Date.now() })}
          />
          <Cancel order={order} />
        </>
      )}
    </>
  );
}

const STAMPS: Partial<Record<OrderState, string>> = { yours: "Paid", refunded: "Refunded" };

/** Where the order stands, in words; said aloud when it changes. */
function News({
  order,
  state,
  payment,
}: {
  order: Order;
  state: OrderState;
  payment: Payment | null | undefined;
}) {
  const again = (
    <Link className="button" to={`/tickets/${order.ticket.id}`}>
      Look at the ticket
    </Link>
  );
  switch (state) {
    case "payable":
      return null;
    case "checking":
      return (
        <Said tone="plain" title="We don’t know yet whether your card was charged.">
          <p>Stripe’s answer got lost. Checking: this page shows the outcome by itself.</p>
        </Said>
      );
    case "confirming":
      return (
        <Said tone="plain" title="Confirming your payment">
          <p>Your card was accepted. This takes a few seconds, and you can close this page meanwhile.</p>
        </Said>
      );
    case "yours":
      return (
        <Said tone="good" title="It’s yours.">
          <p>Your payment is complete, and nobody else can buy this ticket any more.</p>
          <Refunded order={order} />
          <Link className="button" to="/orders">
            See all your orders
          </Link>
        </Said>
      );
    case "refunded":
      return (
        <Said tone="plain" title="This order was refunded.">
          <Refunded order={order} />
          <p>The ticket is not yours any more.</p>
          <Link className="button" to="/orders">
            See all your orders
          </Link>
        </Said>
      );
    case "lapsed":
      return (
        <Said tone="plain" title="Your time to pay is up.">
          <p>Others can buy the ticket now. {moneyOfEnded(state, payment)}</p>
          {again}
        </Said>
      );
    case "ended":
      return (
        <Said
          tone="plain"
          title={order.reason === "payment_failed" ? "The payment failed." : "This order has ended."}
        >
          <p>
            {endedBecause(order)} {moneyOfEnded(state, payment)}
          </p>
          {again}
        </Said>
      );
  }
}

function Refunded({ order: { refund, ticket } }: { order: Order }) {
  return refund ? <p>{refundInWords(refund, { currency: ticket.currency, to: "your card" })}</p> : null;
}

function Cancel({ order }: { order: Order }) {
  const cancel = useCancelOrder(order);
  const isPaid = codeOf(cancel.error) === "order_paid";
  const { title, advice } = explain(cancel.error);
  return (
    <div className="actions">
      {cancel.isError && (
        <Notice tone="error" title={isPaid ? "Too late to cancel." : title}>
          <p>{isPaid ? "This order is paid, or is just being paid." : advice}</p>
        </Notice>
      )}
      <button type="button" className="link" onClick={() => cancel.mutate()} disabled={cancel.isPending}>
        {cancel.isPending ? "Cancelling" : "Cancel the order"}
      </button>
    </div>
  );
}
