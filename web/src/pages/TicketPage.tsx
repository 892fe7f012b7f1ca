import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { useParams } from "react-router";
import { isNotFound } from "../api/errors";
import { ticket as ticketQuery } from "../api/queries";
import { currentUser } from "../api/session";
import type { Ticket } from "../api/types";
import { Failed, Loading, OutOfDate } from "../components/states";
import { TicketCard } from "../components/TicketCard";
import { Title } from "../components/Title";
import { SignedIn } from "../components/user";
import { formatDateTime } from "../rules/date";
import { STATUS_LABELS } from "../rules/ticket";
import { Buy, SignInToBuy } from "./Buy";
import { NotFound } from "./NotFound";

// Most visitors are not the seller.
const OwnTicketActions = lazy(async () => ({
  default: (await import("./OwnTicketActions")).OwnTicketActions,
}));

export function TicketPage() {
  const { id = "" } = useParams();
  const query = useQuery({
    ...ticketQuery(id),
    refetchInterval: ({ state }) => (state.data?.status === "reserved" ? 3000 : false),
  });
  if (isNotFound(query.error)) return <NotFound what="ticket" />;
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  const ticket = query.data;
  return (
    <>
      <Title text={ticket.title} />
      <OutOfDate query={query} />
      <TicketCard
        ticket={ticket}
        heading="h1"
        isUnavailable={ticket.status !== "available"}
        stamp={ticket.status === "sold" ? "Sold" : undefined}
      >
        <dl>
          <dt>Status</dt>
          <dd>{STATUS_LABELS[ticket.status]}</dd>
          <dt>Listed</dt>
          <dd>{formatDateTime(ticket.createdAt)}</dd>
        </dl>
      </TicketCard>
      <Actions key={ticket.id} ticket={ticket} />
    </>
  );
}

/** Waits until the user is known, so that a seller never sees a button to buy their own ticket. */
function Actions({ ticket }: { ticket: Ticket }) {
  const user = useQuery(currentUser);
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data === null) return <SignInToBuy ticket={ticket} />;
  return (
    <SignedIn user={user.data}>
      {user.data.id === ticket.userID ? (
        <Suspense fallback={<Loading />}>
          <OwnTicketActions ticket={ticket} />
        </Suspense>
      ) : (
        <Buy ticket={ticket} />
      )}
    </SignedIn>
  );
}
