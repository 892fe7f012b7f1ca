import { codeOf, fieldError } from "../api/errors";
import type { Order } from "../api/types";
import { Field } from "../components/Field";
import { Form } from "../components/Form";
import { ErrorNotice, Notice, NoticeBox } from "../components/states";
import { formatDate } from "../rules/date";
import { reasonError } from "../rules/refunding";
import { useAskForRefund } from "./mutations";

/** Lets the buyer of a completed order ask for a refund, once, and shows what was asked. */
export function AskForRefund({ order }: { order: Order }) {
  const ask = useAskForRefund(order.id);
  return (
    <section className="ask-for-refund" aria-label="Refund">
      <div role="status">
        {order.refundRequest && (
          <NoticeBox tone="plain" title={`You asked for a refund on ${formatDate(order.refundRequest.at)}.`}>
            <p>
              <q dir="auto">{order.refundRequest.reason}</q>
            </p>
            <p>The seller decides. If the seller does not refund you within three days, we are told.</p>
          </NoticeBox>
        )}
      </div>
      {!order.refundRequest && (
        <details>
          <summary>Ask for a refund</summary>
          <Form
            action="Ask for a refund"
            isPending={ask.isPending || ask.isSuccess}
            validate={({ reason = "" }) => ({ reason: reasonError(reason) })}
            onSend={({ reason = "" }) => ask.mutate(reason.trim())}
            notice={ask.isError && <AskError error={ask.error} />}
          >
            {(errors) => (
              <Field
                label="Why do you want your money back?"
                hint="The seller reads this. You keep the ticket until you are refunded."
                name="reason"
                autoComplete="off"
                error={errors.reason ?? fieldError(ask.error, "reason")}
              />
            )}
          </Form>
        </details>
      )}
    </section>
  );
}

function AskError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "refund_requested":
      return <Notice tone="error" title="You have asked for a refund of this order before." />;
    case "order_refunded":
      return <Notice tone="error" title="This order is already refunded." />;
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked field." />;
    default:
      return <ErrorNotice error={error} />;
  }
}
