import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";
import { useEditTicket } from "../api/changes";
import { isNotFound, Undecided } from "../api/errors";
import { ticket as ticketQuery } from "../api/queries";
import type { Ticket } from "../api/types";
import { useDraft } from "../components/draft";
import { Failed, Loading, Notice } from "../components/states";
import { useUser } from "../components/user";
import { NotFound } from "./NotFound";
import { TicketForm } from "./TicketForm";

export function EditTicket() {
  const { id = "" } = useParams();
  const query = useQuery(ticketQuery(id));
  const user = useUser();
  if (isNotFound(query.error)) return <NotFound what="ticket" />;
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  return (
    <div className="narrow">
      <title>{`Edit ${query.data.title} · Admit One`}</title>
      <h1>Edit your ticket</h1>
      {query.data.userID === user.id ? (
        <Form ticket={query.data} />
      ) : (
        <Notice tone="error" title="This is somebody else’s ticket.">
          <Link className="button" to={`/tickets/${id}`}>
            Look at it
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
  // A form that was sent stays while a buyer holds the ticket: they may let it go.
  if (ticket.status !== "available" && (edit.isIdle || ticket.status !== "reserved")) {
    const why = {
      reserved: "A buyer holds this ticket, so it can’t be edited now.",
      sold: "This ticket is sold, so it can’t be edited.",
      withdrawn: "You have withdrawn this ticket, so it can’t be edited.",
    }[ticket.status];
    return (
      <Notice tone="plain" title={why}>
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
      currency={ticket.currency}
      action="Save"
      isPending={edit.isPending}
      error={edit.error}
      isUndecided={edit.isPending && edit.failureReason instanceof Undecided}
      onSave={(content, version) =>
        edit.mutate({ ...content, version }, { onSuccess: () => void navigate(back) })
      }
    />
  );
}
