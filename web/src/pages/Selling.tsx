import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownTickets } from "../api/queries";
import type { OwnTicket, OwnTicketList } from "../api/types";
import { LoadMore } from "../components/LoadMore";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketCard } from "../components/TicketCard";
import { Title } from "../components/Title";
import { useList } from "../components/useList";
import { useUser } from "../components/user";
import { formatDate } from "../rules/date";
import { describePendingChange } from "../rules/pending";
import { describeRefund } from "../rules/refund";
import { STATUS_LABELS } from "../rules/ticket";

export function Selling() {
  return (
    <>
      <Title text="My tickets" />
      <div className="heading">
        <h1>My tickets</h1>
        <Link className="button" to="/sell">
          Sell a ticket
        </Link>
      </div>
      <List />
    </>
  );
}

/** A short label of a ticket's status, for its seller. */
function ticketLabel({ status, refund, refunding }: OwnTicket): string {
  if (refunding) return "Being refunded";
  if (status === "withdrawn" && refund) return "Refunded, not on sale";
  return STATUS_LABELS[status];
}

const hasPending = ({ tickets }: OwnTicketList) => tickets.some(({ pendingChange }) => pendingChange);

function List() {
  const options = ownTickets(useUser().id);
  const query = useInfiniteQuery({
    ...options,
    refetchInterval: ({ state }) => (state.data?.pages.some(hasPending) ? 3000 : false),
  });
  const { entries, isSkippingEmptyPages, isEmpty } = useList(query, options.queryKey, (page) => page.tickets);
  if (query.isPending || isSkippingEmptyPages) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <>
      <OutOfDate query={query} />
      {isEmpty && <p className="empty">You have not put any tickets on sale yet.</p>}
      <ul className="tickets">
        {entries.map((ticket) => (
          <li key={ticket.id}>
            <TicketCard
              ticket={ticket}
              to={`/tickets/${ticket.id}`}
              isUnavailable={ticket.status !== "available"}
            >
              <p>
                <strong>{ticketLabel(ticket)}</strong> · listed {formatDate(ticket.createdAt)}
              </p>
              {ticket.pendingChange && (
                <p>Change pending. {describePendingChange(ticket, ticket.pendingChange)}</p>
              )}
              {ticket.refundRequest && !ticket.refunding && <p>The buyer asks for a refund.</p>}
              {ticket.refund && (
                <p>{describeRefund(ticket.refund, { currency: ticket.currency, to: "the buyer’s card" })}</p>
              )}
            </TicketCard>
          </li>
        ))}
      </ul>
      <LoadMore query={query} />
    </>
  );
}
