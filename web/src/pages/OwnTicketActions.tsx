import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { codeOf, explain, PendingError } from "../api/errors";
import { useWithdrawTicket } from "../api/mutations";
import { ownTicket, ticket as ticketQuery } from "../api/queries";
import type { OwnTicket, Ticket } from "../api/types";
import { Notice, NoticeBox } from "../components/states";
import { useUser } from "../components/user";
import { RefundedTicket } from "../refunds/RefundedTicket";
import { SoldTicket } from "../refunds/SoldTicket";
import { describePendingChange } from "../rules/pending";

/** Actions for the seller of a ticket. */
export function OwnTicketActions({ ticket }: { ticket: Ticket }) {
  const [isConfirming, setConfirming] = useState(false);
  const withdraw = useWithdrawTicket(ticket.id);
  const own = useQuery({
    ...ownTicket(useUser().id, ticket),
    refetchInterval: ({ state }) => (state.data?.pendingChange ? 2000 : false),
  });
  useQuery({ ...ticketQuery(ticket.id), refetchInterval: own.data?.pendingChange ? 2000 : false });
  const isPendingDecision = withdraw.isPending && withdraw.failureReason instanceof PendingError;
  return (
    <div className="actions">
      <div role="status">
        {own.data?.pendingChange && <ChangePending ticket={own.data} />}
        {isPendingDecision && !own.data?.pendingChange && <WithdrawalPending />}
      </div>
      {withdraw.isError && <WithdrawalError error={withdraw.error} />}
      {ticket.status === "available" && !isConfirming && (
        <>
          <p className="hint">You are selling this ticket.</p>
          <Link className="button" to={`/tickets/${ticket.id}/edit`}>
            Edit
          </Link>
          <button type="button" onClick={() => setConfirming(true)}>
            Withdraw
          </button>
        </>
      )}
      {ticket.status === "available" && isConfirming && (
        <Notice tone="plain" title="Withdraw this ticket permanently?">
          <button
            type="button"
            className="danger"
            onClick={() => withdraw.mutate(undefined, { onSettled: () => setConfirming(false) })}
            disabled={withdraw.isPending}
          >
            {withdraw.isPending ? "Withdrawing" : "Withdraw it"}
          </button>
          <button type="button" onClick={() => setConfirming(false)} disabled={withdraw.isPending}>
            Keep it on sale
          </button>
        </Notice>
      )}
      {ticket.status === "reserved" && (
        <Notice tone="plain" title="A buyer is holding your ticket.">
          <p>You can’t edit or withdraw it while they have time to pay.</p>
        </Notice>
      )}
      {ticket.status === "sold" && <SoldTicket ticket={ticket} own={own.data} />}
      {ticket.status === "withdrawn" &&
        (own.data?.refund ? (
          <RefundedTicket ticket={own.data} refund={own.data.refund} />
        ) : (
          <Notice
            tone="plain"
            title={own.data ? "You have withdrawn this ticket." : "This ticket is withdrawn."}
          />
        ))}
    </div>
  );
}

/** Shows a pending change, which is neither accepted nor rejected yet. */
function ChangePending({ ticket }: { ticket: OwnTicket }) {
  return (
    <NoticeBox tone="plain" title="Your change is being processed.">
      {ticket.pendingChange && <p>{describePendingChange(ticket, ticket.pendingChange)}</p>}
      <p>The ticket will show it as soon as it takes effect.</p>
    </NoticeBox>
  );
}

function WithdrawalPending() {
  return (
    <NoticeBox tone="plain" title="The ticket is being withdrawn.">
      <p>This page will show when it is done.</p>
    </NoticeBox>
  );
}

function WithdrawalError({ error }: { error: unknown }) {
  if (error instanceof PendingError) return <WithdrawalPending />;
  switch (codeOf(error)) {
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer has just ordered this ticket, so it was not withdrawn.">
          <p>You can withdraw it if they don’t pay in time.</p>
        </Notice>
      );
    case "ticket_sold":
      return <Notice tone="error" title="This ticket has been sold, so it was not withdrawn." />;
    case "change_pending":
      return (
        <Notice tone="error" title="An earlier change is still being processed.">
          <p>Try again in a moment.</p>
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
