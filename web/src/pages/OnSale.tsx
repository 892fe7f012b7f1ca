import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { Link, useLocation } from "react-router";
import { ticketsOnSale } from "../api/queries";
import { LoadMore } from "../components/LoadMore";
import { Failed, OutOfDate, Skeleton } from "../components/states";
import { TicketCard } from "../components/TicketCard";
import { Title } from "../components/Title";
import { useList } from "../components/useList";
import { formatDate } from "../rules/date";
import { searchTickets } from "../rules/ticket";

export function OnSale() {
  return (
    <>
      <Title text="Tickets on sale" />
      <h1>Tickets on sale</h1>
      <List />
    </>
  );
}

function List() {
  const query = useInfiniteQuery(ticketsOnSale);
  const { entries, isSkippingEmptyPages, isEmpty } = useList(
    query,
    ticketsOnSale.queryKey,
    (page) => page.tickets,
  );
  const [search, setSearch] = useSearch();
  const searchId = useId();
  if (query.isPending || isSkippingEmptyPages) return <Skeleton />;
  if (query.data === undefined) return <Failed query={query} />;
  if (isEmpty) {
    return (
      <div className="empty">
        <OutOfDate query={query} />
        <p>No tickets are on sale right now.</p>
        <p>
          Have a ticket that you can’t use? <Link to="/sell">Sell it here</Link>.
        </p>
      </div>
    );
  }
  const found = searchTickets(entries, search);
  return (
    <>
      <OutOfDate query={query} />
      <div className="search">
        <label htmlFor={searchId}>Search{query.hasNextPage ? " the tickets shown" : ""}</label>
        <input
          id={searchId}
          type="search"
          dir="auto"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <p className="visually-hidden" role="status">
        {search && `${found.length} found`}
      </p>
      {found.length === 0 && (
        <p className="empty">
          {entries.length === 0 ? (
            "No tickets found so far."
          ) : (
            <>
              No tickets match “<bdi>{search}</bdi>”.
            </>
          )}
        </p>
      )}
      <ul className="tickets">
        {found.map((ticket) => (
          <li key={ticket.id}>
            <TicketCard ticket={ticket} to={`/tickets/${ticket.id}`}>
              <p>Listed {formatDate(ticket.createdAt)}</p>
            </TicketCard>
          </li>
        ))}
      </ul>
      <LoadMore query={query} />
    </>
  );
}

const PARAMETER = "q";

/**
 * The search text. It is kept in the URL, so that Back and Reload restore it. The URL is updated without the router: a
 * navigation per key press would render late and move the cursor.
 */
function useSearch(): [string, (text: string) => void] {
  const { key, search } = useLocation();
  const inUrl = new URLSearchParams(search).get(PARAMETER) ?? "";
  const [typed, setTyped] = useState({ key, text: inUrl });
  useEffect(() => {
    // A navigation from this page to itself.
    setTyped((before) => (before.key === key ? before : { key, text: inUrl }));
  }, [key, inUrl]);
  const set = (text: string) => {
    setTyped({ key, text });
    const url = new URL(window.location.href);
    if (text === "") url.searchParams.delete(PARAMETER);
    else url.searchParams.set(PARAMETER, text);
    window.history.replaceState(window.history.state, "", url);
  };
  return [typed.text, set];
}
