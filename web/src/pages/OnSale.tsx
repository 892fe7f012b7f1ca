import { useInfiniteQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Link } from "react-router";
import { ticketsOnSale } from "../api/queries";
import { More } from "../components/More";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketStub } from "../components/TicketStub";
import { asDay } from "../rules/date";
import { matching } from "../rules/ticket";

export function OnSale() {
  return (
    <>
      <title>Tickets on sale · Admit One</title>
      <h1>Tickets on sale</h1>
      <List />
    </>
  );
}

function List() {
  const query = useInfiniteQuery(ticketsOnSale);
  const [search, setSearch] = useState("");
  const searchId = useId();
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  const tickets = query.data.pages.flatMap((page) => page.tickets);
  if (tickets.length === 0) {
    return (
      <div className="empty">
        <OutOfDate query={query} />
        <p>Nothing is on sale right now.</p>
        <p>
          A ticket that you can’t use? <Link to="/sell">Put it on sale</Link>.
        </p>
      </div>
    );
  }
  const found = matching(tickets, search);
  return (
    <>
      <OutOfDate query={query} />
      <div className="search">
        <label htmlFor={searchId}>Search{query.hasNextPage ? " in what is loaded" : ""}</label>
        <input
          id={searchId}
          type="search"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <p className="unseen" role="status">
        {search && `${found.length} found`}
      </p>
      {found.length === 0 && <p className="empty">No ticket here is called “{search}”.</p>}
      <ul className="tickets">
        {found.map((ticket) => (
          <li key={ticket.id}>
            <TicketStub ticket={ticket} to={`/tickets/${ticket.id}`}>
              <p>Listed {asDay(ticket.createdAt)}</p>
            </TicketStub>
          </li>
        ))}
      </ul>
      <More query={query} />
    </>
  );
}
