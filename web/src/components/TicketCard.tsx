import type { ReactNode } from "react";
import { Link } from "react-router";
import { formatPrice } from "../rules/price";
import { ticketNumber } from "../rules/ticket";

interface TicketCardContent {
  id: string;
  title: string;
  price: string;
  currency: string;
}

/** A ticket drawn as a paper ticket: title and notes, a perforation, and a stub with the price. */
export function TicketCard({
  ticket,
  to,
  heading = "h2",
  isUnavailable = false,
  stamp,
  children,
}: {
  ticket: TicketCardContent;
  to?: string;
  heading?: "h1" | "h2";
  /** The ticket cannot be bought or used (any more). Its stub is grey. */
  isUnavailable?: boolean;
  /** A word stamped across the ticket. */
  stamp?: string | undefined;
  children?: ReactNode;
}) {
  const Heading = heading;
  return (
    <article className={isUnavailable ? "ticket unavailable" : "ticket"}>
      <div className="ticket-body">
        <p className="ticket-number">{ticketNumber(ticket.id)}</p>
        <Heading className="ticket-title" dir="auto">
          {to === undefined ? ticket.title : <Link to={to}>{ticket.title}</Link>}
        </Heading>
        <div className="ticket-notes">{children}</div>
        {stamp && <p className="ticket-stamp">{stamp}</p>}
      </div>
      <div className="ticket-stub">
        <span className="ticket-word" aria-hidden="true">
          Admit one
        </span>
        <span className="ticket-price">{formatPrice(ticket.price, ticket.currency)}</span>
      </div>
    </article>
  );
}
