import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { Link, useLocation } from "react-router";
import { ticketsOnSale } from "../api/queries";
import { useList } from "../components/list";
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
  const { entries, isLookingOn, isEmpty } = useList(query, ticketsOnSale.queryKey, (page) => page.tickets);
  const [search, setSearch] = useSearch();
  const searchId = useId();
  if (query.isPending || isLookingOn) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  if (isEmpty) {
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
  const found = matching(entries, search);
  return (
    <>
      <OutOfDate query={query} />
      <div className="search">
        <label htmlFor={searchId}>Search{query.hasNextPage ? " in what is loaded" : ""}</label>
        <input
          id={searchId}
          type="search"
          dir="auto"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <p className="unseen" role="status">
        {search && `${found.length} found`}
      </p>
      {found.length === 0 && (
        <p className="empty">
          {entries.length === 0 ? (
            "Nothing on sale was found so far."
          ) : (
            <>
              No ticket here is called “<bdi>{search}</bdi>”.
            </>
          )}
        </p>
      )}
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

const PARAMETER = "q";

/**
 * What is searched for, kept in the address, so that Back and Reload find it again. The address is written past the
 * router: a navigation for each letter would render later than it is typed, and move the cursor.
 */
function useSearch(): [string, (text: string) => void] {
  const { key, search } = useLocation();
  const asked = new URLSearchParams(search).get(PARAMETER) ?? "";
  const [typed, setTyped] = useState({ key, text: asked });
  useEffect(() => {
    // Another visit to this page, without leaving it.
    setTyped((before) => (before.key === key ? before : { key, text: asked }));
  }, [key, asked]);
  const set = (text: string) => {
    setTyped({ key, text });
    const url = new URL(window.location.href);
    if (text === "") url.searchParams.delete(PARAMETER);
    else url.searchParams.set(PARAMETER, text);
    window.history.replaceState(window.history.state, "", url);
  };
  return [typed.text, set];
}
