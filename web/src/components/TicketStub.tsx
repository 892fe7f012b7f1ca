import type { ReactNode } from "react";
import { Link } from "react-router";
import { asPrice } from "../rules/price";
import { ticketNumber } from "../rules/ticket";

interface Printed {
  id: string;
  title: string;
  price: string;
  currency: string;
}

/** A ticket as an object: what it is for, a perforation, and the stub with its price. */
export function TicketStub({
  ticket,
  to,
  heading = "h2",
  isSpent = false,
  stamp,
  children,
}: {
  ticket: Printed;
  to?: string;
  heading?: "h1" | "h2";
  /** Nobody can buy it (any more): the stub has lost its colour. */
  isSpent?: boolean;
  /** What is stamped on it. */
  stamp?: string | undefined;
  children?: ReactNode;
}) {
  const Heading = heading;
  return (
    <article className={isSpent ? "ticket spent" : "ticket"}>
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
        <span className="ticket-price">{asPrice(ticket.price, ticket.currency)}</span>
      </div>
    </article>
  );
}
