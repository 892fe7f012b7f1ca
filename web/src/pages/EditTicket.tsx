import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";
import { isNotFound, PendingError } from "../api/errors";
import { useEditTicket } from "../api/mutations";
import { ticket as ticketQuery } from "../api/queries";
import type { Ticket } from "../api/types";
import { Failed, Loading, Notice } from "../components/states";
import { Title } from "../components/Title";
import { useDraft } from "../components/useDraft";
import { useUser } from "../components/user";
import { NotFound } from "./NotFound";
import { TicketForm } from "./TicketForm";

export function EditTicket() {
  const { id = "" } = useParams();
  const query = useQuery(ticketQuery(id, { isCurrent: true }));
  const user = useUser();
  if (isNotFound(query.error)) return <NotFound what="ticket" />;
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <div className="narrow">
      <Title text={`Edit ${query.data.title}`} />
      <h1>Edit your ticket</h1>
      {query.data.userID === user.id ? (
        <Form ticket={query.data} />
      ) : (
        <Notice tone="error" title="This ticket belongs to another seller.">
          <Link className="button" to={`/tickets/${id}`}>
            View the ticket
          </Link>
        </Notice>
      )}
    </div>
  );
}

function Form({ ticket }: { ticket: Ticket }) {
  const navigate = useNavigate();
  const edit = useEditTicket(ticket.id);
  const draft = useDraft(`edit-${ticket.id}`);
  const back = `/tickets/${ticket.id}`;
  // A submitted form stays open while a buyer holds the ticket, because the hold may lapse.
  if (ticket.status !== "available" && (edit.isIdle || ticket.status !== "reserved")) {
    const reason = {
      reserved: "A buyer is holding this ticket, so it can’t be edited now.",
      sold: "This ticket has been sold, so it can’t be edited.",
      withdrawn: "This ticket is withdrawn, so it can’t be edited.",
    }[ticket.status];
    return (
      <Notice tone="plain" title={reason}>
        <Link className="button" to={back}>
          Back to the ticket
        </Link>
      </Notice>
    );
  }
  return (
    <TicketForm
      draft={draft}
      ticket={ticket}
      action="Save"
      isPending={edit.isPending}
      error={edit.error}
      isPendingDecision={edit.isPending && edit.failureReason instanceof PendingError}
      onSave={(content, version) =>
        edit.mutate({ ...content, version }, { onSuccess: () => void navigate(back) })
      }
    />
  );
}
