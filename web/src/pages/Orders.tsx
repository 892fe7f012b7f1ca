import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownOrders } from "../api/queries";
import type { Order } from "../api/types";
import { useHasPassed } from "../components/Countdown";
import { LoadMore } from "../components/LoadMore";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketCard } from "../components/TicketCard";
import { Title } from "../components/Title";
import { useList } from "../components/useList";
import { useUser } from "../components/user";
import { formatDate } from "../rules/date";
import { isWithoutTicket, orderLabel, orderState } from "../rules/order";
import { describeRefund } from "../rules/refund";

export function Orders() {
  return (
    <>
      <Title text="My orders" />
      <h1>My orders</h1>
      <List />
    </>
  );
}

function List() {
  const options = ownOrders(useUser().id);
  const query = useInfiniteQuery(options);
  const { entries, isSkippingEmptyPages, isEmpty } = useList(query, options.queryKey, (page) => page.orders);
  if (query.isPending || isSkippingEmptyPages) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <>
      <OutOfDate query={query} />
      {isEmpty && (
        <p className="empty">
          You have no orders yet. <Link to="/">See tickets on sale</Link>.
        </p>
      )}
      <ul className="tickets">
        {entries.map((order) => (
          <li key={order.id}>
            <Row order={order} />
          </li>
        ))}
      </ul>
      <LoadMore query={query} />
    </>
  );
}

function Row({ order }: { order: Order }) {
  const hasLapsed = useHasPassed(order.expiresAt);
  const state = orderState({ order, payment: undefined, confirmation: { kind: "none" }, hasLapsed });
  return (
    <TicketCard ticket={order.ticket} to={`/orders/${order.id}`} isUnavailable={isWithoutTicket(state)}>
      <p>
        <strong>{orderLabel(state, order)}</strong> · ordered {formatDate(order.createdAt)}
      </p>
      {order.refund && (
        <p>{describeRefund(order.refund, { currency: order.ticket.currency, to: "your card" })}</p>
      )}
    </TicketCard>
  );
}
