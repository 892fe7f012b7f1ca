import { useState } from "react";
import { Link } from "react-router";
import { useWithdrawTicket } from "../api/changes";
import { codeOf, explain } from "../api/errors";
import type { Ticket } from "../api/types";
import { Notice } from "../components/states";

/** What a seller can do with their ticket. */
export function OwnTicketActions({ ticket }: { ticket: Ticket }) {
  const [isAsking, setAsking] = useState(false);
  const withdraw = useWithdrawTicket(ticket.id);
  return (
    <div className="actions">
      {withdraw.isError && <NotWithdrawn error={withdraw.error} />}
      {ticket.status === "available" && !isAsking && (
        <>
          <p className="hint">You are selling this ticket.</p>
          <Link className="button" to={`/tickets/${ticket.id}/edit`}>
            Edit
          </Link>
          <button type="button" onClick={() => setAsking(true)}>
            Withdraw
          </button>
        </>
      )}
      {ticket.status === "available" && isAsking && (
        <Notice tone="plain" title="Take this ticket off sale for good?">
          <button
            type="button"
            className="danger"
            onClick={() => withdraw.mutate(undefined, { onSettled: () => setAsking(false) })}
            disabled={withdraw.isPending}
          >
            {withdraw.isPending ? "Withdrawing" : "Withdraw it"}
          </button>
          <button type="button" onClick={() => setAsking(false)} disabled={withdraw.isPending}>
            Keep it on sale
          </button>
        </Notice>
      )}
      {ticket.status === "reserved" && (
        <Notice tone="plain" title="A buyer holds your ticket.">
          <p>Until they have paid or their time is up, it can be neither edited nor withdrawn.</p>
        </Notice>
      )}
      {ticket.status === "sold" && <Notice tone="good" title="You have sold this ticket." />}
      {ticket.status === "withdrawn" && <Notice tone="plain" title="You have taken this ticket off sale." />}
    </div>
  );
}

function NotWithdrawn({ error }: { error: unknown }) {
  if (codeOf(error) === "ticket_held" || codeOf(error) === "ticket_sold") {
    return <Notice tone="error" title="Too late: a buyer was faster. It was not withdrawn." />;
  }
  const { title, advice } = explain(error);
  return (
    <Notice tone="error" title={title}>
      <p>{advice}</p>
    </Notice>
  );
}
