import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { codeOf, fieldError } from "../api/errors";
import { ticket as ticketQuery } from "../api/queries";
import type { OwnTicket, Ticket } from "../api/types";
import { Field } from "../components/Field";
import { Form } from "../components/Form";
import { ErrorNotice, Notice } from "../components/states";
import { formatDate } from "../rules/date";
import { formatPrice } from "../rules/price";
import { describeRefund } from "../rules/refund";
import { isRefundable, leftToRefund, reasonError } from "../rules/refunding";
import { useRefund } from "./mutations";

/** While the money goes back, the ticket is read again this often. */
const POLL_MILLIS = 3000;

/** A sold ticket, for its seller: what its buyer has asked for, and the refund. `own` is undefined until it is loaded. */
export function SoldTicket({ ticket, own }: { ticket: Ticket; own: OwnTicket | null | undefined }) {
  const [isConfirming, setConfirming] = useState(false);
  const refund = useRefund(own?.orderID ?? "");
  const isRefunding = own?.refunding || refund.isSuccess;
  useQuery({ ...ticketQuery(ticket.id), refetchInterval: isRefunding ? POLL_MILLIS : false });
  if (isRefunding) {
    return (
      <Notice tone="plain" title="The buyer is being refunded.">
        <p>
          You keep nothing of this sale. The ticket is withdrawn once the money has gone back, and you may put
          it on sale again then.
        </p>
      </Notice>
    );
  }
  return (
    <>
      <Notice tone={own?.refund ? "plain" : "good"} title="You have sold this ticket.">
        {own?.refund && (
          <p>{describeRefund(own.refund, { currency: ticket.currency, to: "the buyer’s card" })}</p>
        )}
      </Notice>
      {own?.refundRequest && (
        <Notice tone="plain" title={`The buyer asked for a refund on ${formatDate(own.refundRequest.at)}.`}>
          <p>
            <q dir="auto">{own.refundRequest.reason}</q>
          </p>
        </Notice>
      )}
      {own?.orderID &&
        isRefundable(own) &&
        (isConfirming ? (
          <ConfirmRefund ticket={own} refund={refund} onKeep={() => setConfirming(false)} />
        ) : (
          <button type="button" onClick={() => setConfirming(true)}>
            Refund the buyer
          </button>
        ))}
    </>
  );
}

/** Says what a refund does, before it cannot be undone. */
function ConfirmRefund({
  ticket,
  refund,
  onKeep,
}: {
  ticket: OwnTicket;
  refund: ReturnType<typeof useRefund>;
  onKeep: () => void;
}) {
  const amount = formatPrice(leftToRefund(ticket), ticket.currency);
  return (
    <section className="confirm-refund" aria-label="Refund">
      <Notice tone="plain" title={`Refund ${amount} to the buyer?`}>
        <p>
          The buyer gets {amount} back, and you keep nothing of this sale: what was sent to you is taken back.
          The ticket is withdrawn, and you may put it on sale again. A refund cannot be undone.
        </p>
      </Notice>
      <Form
        action={`Refund ${amount}`}
        isPending={refund.isPending}
        validate={({ reason = "" }) => ({ reason: reason.trim() === "" ? undefined : reasonError(reason) })}
        onSend={({ reason = "" }) => refund.mutate(reason.trim() || null)}
        notice={refund.isError && <RefundError error={refund.error} />}
      >
        {(errors) => (
          <Field
            label="Reason, which the buyer reads (optional)"
            name="reason"
            autoComplete="off"
            error={errors.reason ?? fieldError(refund.error, "reason")}
          />
        )}
      </Form>
      <button type="button" onClick={onKeep} disabled={refund.isPending}>
        Keep the sale
      </button>
    </section>
  );
}

function RefundError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "order_refunded":
      return <Notice tone="error" title="This sale is already refunded." />;
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked field." />;
    default:
      return <ErrorNotice error={error} />;
  }
}
