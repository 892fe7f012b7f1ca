import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownOrders } from "../api/queries";
import type { Order } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { useList } from "../components/list";
import { More } from "../components/More";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { useUser } from "../components/user";
import { asDay } from "../rules/date";
import { orderInWords, orderState } from "../rules/order";
import { refundInWords } from "../rules/refund";

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
  const options = ownOrders(useUser().id);
  const query = useInfiniteQuery(options);
  const { entries, isLookingOn, isEmpty } = useList(query, options.queryKey, (page) => page.orders);
  if (query.isPending || isLookingOn) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <>
      <OutOfDate query={query} />
      {isEmpty && (
        <p className="empty">
          You have ordered nothing yet. <Link to="/">See what is on sale</Link>.
        </p>
      )}
      <ul className="tickets">
        {entries.map((order) => (
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
  const state = orderState({ order, payment: undefined, confirmation: { kind: "none" }, hasLapsed });
  return (
    <TicketStub
      ticket={order.ticket}
      to={`/orders/${order.id}`}
      isSpent={state === "ended" || state === "lapsed" || state === "refunded"}
    >
      <p>
        <strong>{orderInWords(state, order)}</strong> · ordered {asDay(order.createdAt)}
      </p>
      {order.refund && (
        <p>{refundInWords(order.refund, { currency: order.ticket.currency, to: "your card" })}</p>
      )}
    </TicketStub>
  );
}
