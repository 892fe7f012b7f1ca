import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { codeOf, explain, isSignedOut, waitOf } from "../api/errors";
import { usePlaceOrder } from "../api/mutations";
import { orderOfTicket, ticket as ticketQuery } from "../api/queries";
import type { Order, Ticket } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { Failed, Loading, Notice } from "../components/states";
import { useUser } from "../components/user";
import { formatPrice } from "../rules/price";
import { describeRefund } from "../rules/refund";
import { signInPath } from "../rules/returnPath";

/** Actions for a visitor who is not signed in. */
export function SignInToBuy({ ticket }: { ticket: Ticket }) {
  const { pathname } = useLocation();
  return (
    <div className="actions">
      {ticket.status === "available" ? (
        <Link className="button primary" to={signInPath(pathname)}>
          Sign in to buy for {formatPrice(ticket.price, ticket.currency)}
        </Link>
      ) : (
        <NotOnSale ticket={ticket} />
      )}
    </div>
  );
}

/** Actions for a signed-in user who is not the seller. */
export function Buy({ ticket }: { ticket: Ticket }) {
  const navigate = useNavigate();
  const placeOrder = usePlaceOrder();
  const isHeldByOther = codeOf(placeOrder.error) === "ticket_held";
  usePollWhileHeld(ticket, isHeldByOther, placeOrder.reset);
  const placed = useJustPlaced(ticket);
  const onClick = () =>
    placeOrder.mutate(ticket, { onSuccess: (order) => void navigate(`/orders/${order.id}`) });
  const price = formatPrice(ticket.price, ticket.currency);
  return (
    <div className="actions">
      {placeOrder.isError && (
        <OrderError
          error={placeOrder.error}
          newPrice={placeOrder.variables.price === ticket.price ? null : price}
        />
      )}
      {placed !== null ? (
        <OwnOrder order={placed} ticket={ticket} />
      ) : ticket.status === "available" ? (
        <>
          <button type="button" className="primary" onClick={onClick} disabled={placeOrder.isPending}>
            {placeOrder.isPending ? "Placing your order" : `Buy for ${price}`}
          </button>
          <p className="hint">
            The ticket is held for you while you pay. You are charged only if you get it.
          </p>
        </>
      ) : (
        <Unavailable ticket={ticket} hasError={placeOrder.isError} />
      )}
    </div>
  );
}

/**
 * The order that the user has just placed, while the ticket still shows as available; null otherwise. Tickets learns of
 * a hold after Orders (replication lag). An order that was cancelled in the meantime is not returned.
 */
function useJustPlaced(ticket: Ticket): Order | null {
  const query = orderOfTicket(useUser().id, ticket);
  const known = useQueryClient().getQueryData(query.queryKey) ?? null;
  const order = useQuery({ ...query, enabled: known !== null }).data ?? null;
  return ticket.status === "available" && order?.status === "created" ? order : null;
}

/**
 * Polls a ticket that another buyer has just ordered, and calls `onReleased` when their hold has ended. Tickets learns of
 * a hold after Orders, so the ticket may at first still show as available: the hold must be seen before its end counts.
 */
function usePollWhileHeld({ id, status }: Ticket, isHeldByOther: boolean, onReleased: () => void): void {
  const [wasSeen, setSeen] = useState(false);
  useQuery({ ...ticketQuery(id), refetchInterval: isHeldByOther ? 2000 : false });
  useEffect(() => {
    if (!isHeldByOther) setSeen(false);
    else if (status === "reserved") setSeen(true);
    else if (wasSeen) onReleased();
  }, [isHeldByOther, status, wasSeen, onReleased]);
}

/** Explains why an order was not placed. */
function OrderError({ error, newPrice }: { error: unknown; newPrice: string | null }) {
  switch (codeOf(error)) {
    case "ticket_held":
      return (
        <Notice tone="error" title="Another buyer was faster.">
          <p>
            They have a few minutes to pay. If they don’t, you can buy the ticket. This page updates
            automatically.
          </p>
          <OtherTickets />
        </Notice>
      );
    case "ticket_sold":
      return (
        <Notice tone="error" title="This ticket has just been sold.">
          <OtherTickets />
        </Notice>
      );
    case "ticket_withdrawn":
      return (
        <Notice tone="error" title="The seller has just withdrawn this ticket.">
          <OtherTickets />
        </Notice>
      );
    case "price_changed":
      return (
        <Notice
          tone="error"
          title={newPrice === null ? "The price has changed." : `The price has changed to ${newPrice}.`}
        >
          <p>Nothing was ordered. You can buy the ticket at the new price.</p>
        </Notice>
      );
    case "too_many_holds":
      return (
        <Notice tone="error" title="You are holding too many tickets.">
          <p>Pay for one of your orders or cancel one, then order this ticket.</p>
          <Link className="button" to="/orders">
            See your orders
          </Link>
        </Notice>
      );
    case "recently_lapsed":
      return (
        <Notice tone="error" title="Your time to pay for this ticket has passed.">
          <p>Other buyers come first now. You can order it again {waitOf(error)} if nobody buys it.</p>
          <OtherTickets />
        </Notice>
      );
    default: {
      if (isSignedOut(error)) return <Notice tone="error" title="You are signed out. Nothing was ordered." />;
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice} Trying again will not order it twice.</p>
        </Notice>
      );
    }
  }
}

/** A ticket that cannot be ordered now. The user may be its buyer. */
function Unavailable({ ticket, hasError }: { ticket: Ticket; hasError: boolean }) {
  const order = useQuery(orderOfTicket(useUser().id, ticket));
  if (order.isPending) return <Loading />;
  if (order.data === undefined) return <Failed query={order} />;
  if (order.data !== null) return <OwnOrder order={order.data} ticket={ticket} />;
  // The error above has already explained it.
  return hasError ? null : <NotOnSale ticket={ticket} />;
}

function OwnOrder({ order, ticket }: { order: Order; ticket: Ticket }) {
  const { id, status, expiresAt, refund } = order;
  const hasPassed = useHasPassed(expiresAt);
  const path = `/orders/${id}`;
  switch (status) {
    case "created":
      if (hasPassed) return <NotOnSale ticket={ticket} />;
      return (
        <Notice tone="plain" title="This ticket is held for you.">
          <Link className="button primary" to={path}>
            Continue to payment
          </Link>
        </Notice>
      );
    case "awaiting:payment":
      return (
        <Notice tone="plain" title="Your payment for this ticket is being confirmed.">
          <ViewOrder path={path} />
        </Notice>
      );
    case "completed":
      return (
        <Notice tone="good" title="You bought this ticket.">
          {refund && <p>{describeRefund(refund, { currency: ticket.currency, to: "your card" })}</p>}
          <ViewOrder path={path} />
        </Notice>
      );
    case "refunding":
      return (
        <Notice tone="plain" title="You bought this ticket, and are being refunded.">
          <ViewOrder path={path} />
        </Notice>
      );
    case "refunded":
      return (
        <Notice tone="plain" title="You bought this ticket and were refunded.">
          {refund && <p>{describeRefund(refund, { currency: ticket.currency, to: "your card" })}</p>}
          <ViewOrder path={path} />
        </Notice>
      );
    case "cancelled":
      return <NotOnSale ticket={ticket} />;
  }
}

function ViewOrder({ path }: { path: string }) {
  return (
    <Link className="button" to={path}>
      View your order
    </Link>
  );
}

/** Explains why a ticket is not on sale to other users. */
function NotOnSale({ ticket: { status } }: { ticket: Ticket }) {
  switch (status) {
    case "available":
      return null;
    case "reserved":
      return (
        <Notice tone="plain" title="Another buyer is holding this ticket.">
          <p>If they don’t pay in time, you can buy it. This page updates automatically.</p>
          <OtherTickets />
        </Notice>
      );
    case "sold":
      return (
        <Notice tone="plain" title="This ticket has been sold.">
          <OtherTickets />
        </Notice>
      );
    case "withdrawn":
      return (
        <Notice tone="plain" title="This ticket is withdrawn.">
          <OtherTickets />
        </Notice>
      );
  }
}

function OtherTickets() {
  return (
    <Link className="button" to="/">
      See other tickets
    </Link>
  );
}
