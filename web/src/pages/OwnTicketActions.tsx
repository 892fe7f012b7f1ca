import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { useWithdrawTicket } from "../api/changes";
import { codeOf, explain, Undecided } from "../api/errors";
import { ownTicket, ticket as ticketQuery } from "../api/queries";
import type { OwnTicket, Ticket } from "../api/types";
import { Notice, Said } from "../components/states";
import { useUser } from "../components/user";
import { pendingInWords } from "../rules/pending";
import { refundInWords } from "../rules/refund";

/** What a seller can do with their ticket. */
export function OwnTicketActions({ ticket }: { ticket: Ticket }) {
  const [isAsking, setAsking] = useState(false);
  const withdraw = useWithdrawTicket(ticket.id);
  const own = useQuery({
    ...ownTicket(useUser().id, ticket),
    refetchInterval: ({ state }) => (state.data?.pendingChange ? 2000 : false),
  });
  useQuery({ ...ticketQuery(ticket.id), refetchInterval: own.data?.pendingChange ? 2000 : false });
  const isUndecided = withdraw.isPending && withdraw.failureReason instanceof Undecided;
  return (
    <div className="actions">
      <div role="status">
        {own.data?.pendingChange && <Pending ticket={own.data} />}
        {isUndecided && !own.data?.pendingChange && <BeingWithdrawn />}
      </div>
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
      {ticket.status === "sold" && (
        <Notice tone={own.data?.refund ? "plain" : "good"} title="You have sold this ticket.">
          {own.data?.refund && (
            <p>{refundInWords(own.data.refund, { currency: ticket.currency, to: "the buyer’s card" })}</p>
          )}
        </Notice>
      )}
      {ticket.status === "withdrawn" && <Notice tone="plain" title="You have taken this ticket off sale." />}
    </div>
  );
}

/** A change that is neither in force nor refused yet. */
function Pending({ ticket }: { ticket: OwnTicket }) {
  return (
    <Said tone="plain" title="Your change is being made.">
      {ticket.pendingChange && <p>{pendingInWords(ticket, ticket.pendingChange)}</p>}
      <p>The ticket shows it as soon as it is in force.</p>
    </Said>
  );
}

function BeingWithdrawn() {
  return (
    <Said tone="plain" title="The ticket is being taken off sale.">
      <p>This page shows it as soon as it is done.</p>
    </Said>
  );
}

function NotWithdrawn({ error }: { error: unknown }) {
  if (error instanceof Undecided) return <BeingWithdrawn />;
  switch (codeOf(error)) {
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer has just taken this ticket. It was not withdrawn.">
          <p>You can withdraw it if they don’t pay in time.</p>
        </Notice>
      );
    case "ticket_sold":
      return <Notice tone="error" title="Too late: this ticket is sold. It was not withdrawn." />;
    case "change_pending":
      return (
        <Notice tone="error" title="An earlier change of this ticket is still being made.">
          <p>Withdraw it again in a moment.</p>
        </Notice>
      );
    default: {
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice}</p>
        </Notice>
      );
    }
  }
}
