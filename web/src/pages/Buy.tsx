import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { useBuy } from "../api/changes";
import { codeOf, explain, isSignedOut } from "../api/errors";
import { orderOfTicket, ticket as ticketQuery } from "../api/queries";
import type { Order, Ticket } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { Failed, Loading, Notice } from "../components/states";
import { useUser } from "../components/user";
import { asPrice } from "../rules/price";
import { refundInWords } from "../rules/refund";
import { signInPath } from "../rules/returnPath";

/** What a visitor can do with a ticket. */
export function SignInToBuy({ ticket }: { ticket: Ticket }) {
  const { pathname } = useLocation();
  return (
    <div className="actions">
      {ticket.status === "available" ? (
        <Link className="button primary" to={signInPath(pathname)}>
          Sign in to buy for {asPrice(ticket.price, ticket.currency)}
        </Link>
      ) : (
        <NotOnSale ticket={ticket} />
      )}
    </div>
  );
}

/** What somebody who is not its seller can do with a ticket. */
export function Buy({ ticket }: { ticket: Ticket }) {
  const navigate = useNavigate();
  const buy = useBuy();
  const isLost = codeOf(buy.error) === "ticket_held";
  useHoldOfAnother(ticket, isLost, buy.reset);
  const placed = useJustPlaced(ticket);
  const onClick = () => buy.mutate(ticket, { onSuccess: (order) => void navigate(`/orders/${order.id}`) });
  const price = asPrice(ticket.price, ticket.currency);
  return (
    <div className="actions">
      {buy.isError && (
        <Refused error={buy.error} newPrice={buy.variables.price === ticket.price ? null : price} />
      )}
      {placed !== null ? (
        <Yours order={placed} ticket={ticket} />
      ) : ticket.status === "available" ? (
        <>
          <button type="button" className="primary" onClick={onClick} disabled={buy.isPending}>
            {buy.isPending ? "Holding it for you" : `Buy for ${price}`}
          </button>
          <p className="hint">It is held for you while you pay. You are charged only when it is yours.</p>
        </>
      ) : (
        <Ordered ticket={ticket} isTold={buy.isError} />
      )}
    </div>
  );
}

/**
 * The order that the user has just placed for a ticket that still shows as available, since Tickets learns of a hold a
 * moment after Orders; null otherwise. An order that has ended meanwhile is not found again.
 */
function useJustPlaced(ticket: Ticket): Order | null {
  const query = orderOfTicket(useUser().id, ticket);
  const known = useQueryClient().getQueryData(query.queryKey) ?? null;
  const order = useQuery({ ...query, enabled: known !== null }).data ?? null;
  return ticket.status === "available" && order?.status === "created" ? order : null;
}

/**
 * Follows a ticket that somebody else took at the last moment: until their hold has come and gone, asks how it stands;
 * then forgets that it was lost. Tickets may hear of a hold later than Orders, so "on sale" at first says nothing.
 */
function useHoldOfAnother({ id, status }: Ticket, isLost: boolean, forget: () => void): void {
  const [wasSeen, setSeen] = useState(false);
  useQuery({ ...ticketQuery(id), refetchInterval: isLost ? 2000 : false });
  useEffect(() => {
    if (!isLost) setSeen(false);
    else if (status === "reserved") setSeen(true);
    else if (wasSeen) forget();
  }, [isLost, status, wasSeen, forget]);
}

/** Why it could not be bought, and what to do instead. */
function Refused({ error, newPrice }: { error: unknown; newPrice: string | null }) {
  switch (codeOf(error)) {
    case "ticket_held":
      return (
        <Notice tone="error" title="Somebody else was faster.">
          <p>
            They hold this ticket now and have a few minutes to pay. If they don’t, you can buy it: this page
            shows it by itself.
          </p>
          <Others />
        </Notice>
      );
    case "ticket_sold":
      return (
        <Notice tone="error" title="This ticket has just been sold.">
          <Others />
        </Notice>
      );
    case "ticket_withdrawn":
      return (
        <Notice tone="error" title="Its seller has just taken this ticket off sale.">
          <Others />
        </Notice>
      );
    case "price_changed":
      return (
        <Notice
          tone="error"
          title={`The price has changed.${newPrice === null ? "" : ` It is ${newPrice} now.`}`}
        >
          <p>Nothing was ordered. Buy it at the new price, or leave it.</p>
        </Notice>
      );
    default: {
      if (isSignedOut(error)) return <Notice tone="error" title="You are signed out. Nothing was ordered." />;
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice} Trying again never orders it twice.</p>
        </Notice>
      );
    }
  }
}

/** A ticket that nobody can order now: the reader may be the one who holds or has bought it. */
function Ordered({ ticket, isTold }: { ticket: Ticket; isTold: boolean }) {
  const order = useQuery(orderOfTicket(useUser().id, ticket));
  if (order.isPending) return <Loading />;
  if (order.data === undefined) return <Failed query={order} />;
  if (order.data !== null) return <Yours order={order.data} ticket={ticket} />;
  // What was refused just now says it already.
  return isTold ? null : <NotOnSale ticket={ticket} />;
}

function Yours({ order, ticket }: { order: Order; ticket: Ticket }) {
  const { id, status, expiresAt, refund } = order;
  const hasPassed = useHasPassed(expiresAt);
  const path = `/orders/${id}`;
  switch (status) {
    case "created":
      if (hasPassed) return <NotOnSale ticket={ticket} />;
      return (
        <Notice tone="plain" title="You hold this ticket.">
          <Link className="button primary" to={path}>
            Go on to pay
          </Link>
        </Notice>
      );
    case "awaiting:payment":
      return (
        <Notice tone="plain" title="Your payment for this ticket is being confirmed.">
          <SeeOrder path={path} />
        </Notice>
      );
    case "completed":
      return (
        <Notice tone="good" title="You bought this ticket.">
          {refund && <p>{refundInWords(refund, { currency: ticket.currency, to: "your card" })}</p>}
          <SeeOrder path={path} />
        </Notice>
      );
    case "refunded":
      return (
        <Notice tone="plain" title="You bought this ticket, and it was refunded.">
          {refund && <p>{refundInWords(refund, { currency: ticket.currency, to: "your card" })}</p>}
          <SeeOrder path={path} />
        </Notice>
      );
    case "cancelled":
      return <NotOnSale ticket={ticket} />;
  }
}

function SeeOrder({ path }: { path: string }) {
  return (
    <Link className="button" to={path}>
      See your order
    </Link>
  );
}

/** Why somebody who has nothing to do with a ticket cannot buy it. */
function NotOnSale({ ticket: { status } }: { ticket: Ticket }) {
  switch (status) {
    case "available":
      return null;
    case "reserved":
      return (
        <Notice tone="plain" title="A buyer holds this ticket.">
          <p>If they don’t pay in time you can buy it: this page shows it by itself.</p>
          <Others />
        </Notice>
      );
    case "sold":
      return (
        <Notice tone="plain" title="This ticket is sold.">
          <Others />
        </Notice>
      );
    case "withdrawn":
      return (
        <Notice tone="plain" title="Its seller has taken this ticket off sale.">
          <Others />
        </Notice>
      );
  }
}

function Others() {
  return (
    <Link className="button" to="/">
      See what else is on sale
    </Link>
  );
}
