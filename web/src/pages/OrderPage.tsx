import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { useCancelOrder } from "../api/changes";
import { codeOf, explain } from "../api/errors";
import { order as orderQuery, payment as paymentQuery, startedPayment } from "../api/queries";
import { tellOtherTabs } from "../api/tabs";
import type { Order, Payment } from "../api/types";
import { Countdown, useHasPassed } from "../components/Countdown";
import { Failed, Loading, Notice, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { PaymentPanel } from "../payment/PaymentPanel";
import { asDayAndTime } from "../rules/date";
import { askAgainAfter, moneyOfEnded, type OrderState, orderState } from "../rules/order";
import { NotFound } from "./NotFound";

export function OrderPage() {
  const { id = "" } = useParams();
  return <LoadedOrder key={id} id={id} />;
}

function LoadedOrder({ id }: { id: string }) {
  const query = useQuery(orderQuery(id));
  if (query.isPending) return <Loading />;
  if (query.data === undefined) {
    if (["not_found", "order_not_found"].includes(codeOf(query.error) ?? ""))
      return <NotFound what="order" />;
    return <Failed query={query} />;
  }
  return (
    <>
      <title>{`${query.data.ticket.title} · Admit One`}</title>
      <OutOfDate query={query} />
      <KnownOrder order={query.data} />
    </>
  );
}

function KnownOrder({ order }: { order: Order }) {
  const hasLapsed = useHasPassed(order.expiresAt);
  const [isConfirmed, setConfirmed] = useState(false);
  const isPayable = order.status === "created" && !hasLapsed && !isConfirmed;
  const started = useQuery({ ...startedPayment(order.id), enabled: isPayable });
  const stateWith = (payment: Payment | null | undefined) =>
    orderState({ order, payment: payment ?? started.data, isConfirmed, hasLapsed });
  // Asking for the payment makes the API look at Stripe, so a webhook that is late holds nothing up.
  const latest = useQuery({
    ...paymentQuery(order.id),
    enabled: !isPayable && order.status !== "completed",
    refetchInterval: ({ state }) => askAgainAfter(stateWith(state.data)),
  });
  const state = stateWith(latest.data);
  useQuery({ ...orderQuery(order.id), refetchInterval: askAgainAfter(state) });
  // Past its deadline it may be paid all the same: nothing is said before that is known.
  if (state === "lapsed" && latest.isPending) return <Loading />;
  return (
    <>
      <TicketStub
        ticket={order.ticket}
        heading="h1"
        isSpent={state === "ended" || state === "lapsed"}
        stamp={state === "yours" ? "Paid" : undefined}
      >
        <p>Ordered {asDayAndTime(order.createdAt)}</p>
      </TicketStub>
      <News order={order} state={state} payment={latest.data} />
      {!isPayable && <OutOfDate query={latest} />}
      {state === "payable" && (
        <>
          <Countdown from={order.createdAt} until={order.expiresAt} />
          <PaymentPanel
            order={order}
            started={started}
            onConfirmed={() => {
              setConfirmed(true);
              tellOtherTabs();
            }}
          />
          <Cancel order={order} />
        </>
      )}
    </>
  );
}

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
    case "confirming":
      return (
        <Notice tone="plain" title="Confirming your payment">
          <p>Your card was accepted. This takes a few seconds, and you can close this page meanwhile.</p>
        </Notice>
      );
    case "yours":
      return (
        <Notice tone="good" title="It’s yours.">
          <p>Your payment is complete, and nobody else can buy this ticket any more.</p>
          <Link className="button" to="/orders">
            See all your orders
          </Link>
        </Notice>
      );
    case "lapsed":
      return (
        <Notice tone="plain" title="Your time to pay is up.">
          <p>The ticket is on sale again. {moneyOfEnded(payment)}</p>
          {again}
        </Notice>
      );
    case "ended":
      return (
        <Notice
          tone="plain"
          title={payment?.status === "failed" ? "The payment failed." : "This order has ended."}
        >
          <p>It was cancelled, or not paid in time. {moneyOfEnded(payment)}</p>
          {again}
        </Notice>
      );
  }
}

function Cancel({ order }: { order: Order }) {
  const cancel = useCancelOrder(order);
  return (
    <div className="actions">
      {cancel.isError && (
        <Notice
          tone="error"
          title={codeOf(cancel.error) === "order_paid" ? "It is paid already." : explain(cancel.error).title}
        >
          <p>
            {codeOf(cancel.error) === "order_paid"
              ? "An order that is paid can’t be cancelled."
              : explain(cancel.error).advice}
          </p>
        </Notice>
      )}
      <button type="button" className="link" onClick={() => cancel.mutate()} disabled={cancel.isPending}>
        {cancel.isPending ? "Cancelling" : "Cancel the order"}
      </button>
    </div>
  );
}
