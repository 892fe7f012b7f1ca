import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownTickets } from "../api/queries";
import type { OwnTicketList } from "../api/types";
import { useList } from "../components/list";
import { More } from "../components/More";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { useUser } from "../components/user";
import { asDay } from "../rules/date";
import { pendingInWords } from "../rules/pending";
import { refundInWords } from "../rules/refund";
import { STATUS_WORDS } from "../rules/ticket";

export function Selling() {
  return (
    <>
      <title>My tickets · Admit One</title>
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

const hasPending = ({ tickets }: OwnTicketList) => tickets.some(({ pendingChange }) => pendingChange);

function List() {
  const options = ownTickets(useUser().id);
  const query = useInfiniteQuery({
    ...options,
    refetchInterval: ({ state }) => (state.data?.pages.some(hasPending) ? 3000 : false),
  });
  const { entries, isLookingOn, isEmpty } = useList(query, options.queryKey, (page) => page.tickets);
  if (query.isPending || isLookingOn) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <>
      <OutOfDate query={query} />
      {isEmpty && <p className="empty">You have put nothing on sale yet.</p>}
      <ul className="tickets">
        {entries.map((ticket) => (
          <li key={ticket.id}>
            <TicketStub ticket={ticket} to={`/tickets/${ticket.id}`} isSpent={ticket.status !== "available"}>
              <p>
                <strong>{STATUS_WORDS[ticket.status]}</strong> · listed {asDay(ticket.createdAt)}
              </p>
              {ticket.pendingChange && <p>Being changed. {pendingInWords(ticket, ticket.pendingChange)}</p>}
              {ticket.refund && (
                <p>{refundInWords(ticket.refund, { currency: ticket.currency, to: "the buyer’s card" })}</p>
              )}
            </TicketStub>
          </li>
        ))}
      </ul>
      <More query={query} />
    </>
  );
}
