import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownOrders } from "../api/queries";
import type { Order } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { More } from "../components/More";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { asDay } from "../rules/date";
import { ORDER_WORDS, orderState } from "../rules/order";

export function Orders() {
  return (
    <>
      <title>My orders · Admit One</title>
      <h1>My orders</h1>
      <List />
    </>
  );
}

function List() {
  const query = useInfiniteQuery(ownOrders);
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  const orders = query.data.pages.flatMap((page) => page.orders);
  return (
    <>
      <OutOfDate query={query} />
      {orders.length === 0 && (
        <p className="empty">
          You have ordered nothing yet. <Link to="/">See what is on sale</Link>.
        </p>
      )}
      <ul className="tickets">
        {orders.map((order) => (
          <li key={order.id}>
            <Row order={order} />
          </li>
        ))}
      </ul>
      <More query={query} />
    </>
  );
}

function Row({ order }: { order: Order }) {
  const hasLapsed = useHasPassed(order.expiresAt);
  const state = orderState({ order, payment: undefined, isConfirmed: false, hasLapsed });
  return (
    <TicketStub
      ticket={order.ticket}
      to={`/orders/${order.id}`}
      isSpent={state === "ended" || state === "lapsed"}
    >
      <p>
        <strong>{ORDER_WORDS[state]}</strong> · ordered {asDay(order.createdAt)}
      </p>
    </TicketStub>
  );
}
