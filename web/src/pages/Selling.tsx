import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { ownTickets } from "../api/queries";
import { More } from "../components/More";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { asDay } from "../rules/date";
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

function List() {
  const query = useInfiniteQuery(ownTickets);
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  const tickets = query.data.pages.flatMap((page) => page.tickets);
  return (
    <>
      <OutOfDate query={query} />
      {tickets.length === 0 && <p className="empty">You have put nothing on sale yet.</p>}
      <ul className="tickets">
        {tickets.map((ticket) => (
          <li key={ticket.id}>
            <TicketStub ticket={ticket} to={`/tickets/${ticket.id}`} isSpent={ticket.status !== "available"}>
              <p>
                <strong>{STATUS_WORDS[ticket.status]}</strong> · listed {asDay(ticket.createdAt)}
              </p>
            </TicketStub>
          </li>
        ))}
      </ul>
      <More query={query} />
    </>
  );
}
