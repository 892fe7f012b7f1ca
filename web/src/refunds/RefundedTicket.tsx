import { codeOf, PendingError } from "../api/errors";
import type { OwnTicket, Refund } from "../api/types";
import { ErrorNotice, Notice, NoticeBox } from "../components/states";
import { formatPrice } from "../rules/price";
import { describeRefund } from "../rules/refund";
import { useRelistTicket } from "./mutations";

/** A ticket that was withdrawn because its sale was refunded, for its seller, who may put it on sale again. */
export function RefundedTicket({ ticket, refund }: { ticket: OwnTicket; refund: Refund }) {
  const relist = useRelistTicket(ticket.id);
  const isUndecided = relist.isPending && relist.failureReason instanceof PendingError;
  return (
    <>
      <Notice tone="plain" title="The sale of this ticket was refunded.">
        <p>{describeRefund(refund, { currency: ticket.currency, to: "the buyer’s card" })}</p>
        <p>The ticket is withdrawn.</p>
      </Notice>
      <div role="status">{isUndecided && <RelistPending />}</div>
      {relist.isError && <RelistError error={relist.error} />}
      <button type="button" onClick={() => relist.mutate()} disabled={relist.isPending}>
        {relist.isPending
          ? "Putting it on sale"
          : `Put it on sale again for ${formatPrice(ticket.price, ticket.currency)}`}
      </button>
    </>
  );
}

function RelistPending() {
  return (
    <NoticeBox tone="plain" title="The ticket is being put on sale.">
      <p>This page will show when it is done.</p>
    </NoticeBox>
  );
}

function RelistError({ error }: { error: unknown }) {
  if (error instanceof PendingError) return <RelistPending />;
  switch (codeOf(error)) {
    case "ticket_not_refunded":
    case "ticket_held":
    case "ticket_sold":
      return <Notice tone="error" title="This ticket cannot be put on sale now." />;
    case "change_pending":
      return (
        <Notice tone="error" title="An earlier change is still being processed.">
          <p>Try again in a moment.</p>
        </Notice>
      );
    default:
      return <ErrorNotice error={error} />;
  }
}
