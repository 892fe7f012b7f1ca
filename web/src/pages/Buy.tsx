import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { useBuy } from "../api/changes";
import { codeOf, explain } from "../api/errors";
import { ownOrders, ticket as ticketQuery } from "../api/queries";
import type { Ticket } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { Notice } from "../components/states";
import { asPrice } from "../rules/price";
import { signInPath } from "../rules/returnPath";

/** What somebody who is not its seller can do with a ticket. */
export function Buy({ ticket, isSignedIn }: { ticket: Ticket; isSignedIn: boolean }) {
  const { pathname } = useLocation();
  const navigate = useNavigate();
  const buy = useBuy();
  useHoldOfAnother(ticket, codeOf(buy.error) === "ticket_held", buy.reset);
  const onClick = () => buy.mutate(ticket, { onSuccess: (order) => void navigate(`/orders/${order.id}`) });
  const price = asPrice(ticket.price, ticket.currency);
  return (
    <div className="actions">
      {buy.isError && <Refused error={buy.error} price={price} />}
      {ticket.status === "available" && isSignedIn && (
        <>
          <button type="button" className="primary" onClick={onClick} disabled={buy.isPending}>
            {buy.isPending ? "Holding it for you" : `Buy for ${price}`}
          </button>
          <p className="hint">It is held for you while you pay. You are charged only when it is yours.</p>
        </>
      )}
      {ticket.status === "available" && !isSignedIn && (
        <Link className="button primary" to={signInPath(pathname)}>
          Sign in to buy for {price}
        </Link>
      )}
      {ticket.status === "reserved" && isSignedIn && !buy.isError && <OwnHold ticket={ticket} />}
      {ticket.status === "reserved" && !isSignedIn && !buy.isError && <Held />}
      {ticket.status === "sold" && !buy.isError && (
        <Notice tone="plain" title="This ticket is sold.">
          <Others />
        </Notice>
      )}
      {ticket.status === "withdrawn" && !buy.isError && (
        <Notice tone="plain" title="Its seller has taken this ticket off sale.">
          <Others />
        </Notice>
      )}
    </div>
  );
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
function Refused({ error, price }: { error: unknown; price: string }) {
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
        <Notice tone="error" title={`The price has changed. It is ${price} now.`}>
          <p>Nothing was ordered. Buy it at the new price, or leave it.</p>
        </Notice>
      );
    default: {
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice} Trying again never orders it twice.</p>
        </Notice>
      );
    }
  }
}

/** Held, perhaps by the reader's own order. */
function OwnHold({ ticket }: { ticket: Ticket }) {
  const orders = useInfiniteQuery(ownOrders);
  const own = orders.data?.pages
    .flatMap((page) => page.orders)
    .find((order) => order.ticket.id === ticket.id && order.status !== "cancelled");
  if (orders.isPending) return null;
  return own === undefined ? <Held /> : <Yours id={own.id} expiresAt={own.expiresAt} />;
}

function Yours({ id, expiresAt }: { id: string; expiresAt: string }) {
  if (useHasPassed(expiresAt)) return <Held />;
  return (
    <Notice tone="plain" title="You hold this ticket.">
      <Link className="button primary" to={`/orders/${id}`}>
        Go on to pay
      </Link>
    </Notice>
  );
}

function Held() {
  return (
    <Notice tone="plain" title="A buyer holds this ticket.">
      <p>If they don’t pay in time you can buy it: this page shows it by itself.</p>
      <Others />
    </Notice>
  );
}

function Others() {
  return (
    <Link className="button" to="/">
      See what else is on sale
    </Link>
  );
}
