import type { UseQueryResult } from "@tanstack/react-query";
import { Suspense } from "react";
import { codeOf } from "../api/errors";
import type { Order, Payment, Problem } from "../api/types";
import { Failed, Loading, Notice } from "../components/states";
import { describeMoney } from "../rules/order";
import { formatPrice } from "../rules/price";
import { paymentFormFor } from "./PaymentForm";

/** Explains that no card can be tried any more because too many were declined. */
function declinesNotice(code: Problem["code"] | null) {
  switch (code) {
    case "too_many_declines":
      return (
        <Notice tone="error" title="Too many cards were declined.">
          <p>You cannot pay for this order any more. You were not charged.</p>
        </Notice>
      );
    case "too_many_declines_today":
      return (
        <Notice tone="error" title="Too many of your cards were declined today.">
          <p>You can pay again tomorrow. You were not charged.</p>
        </Notice>
      );
    default:
      return null;
  }
}

/** The card form of an order, once its payment is started. */
export function PaymentPanel({
  order,
  started,
  onConfirmed,
  onUnknownOutcome,
}: {
  order: Order;
  started: UseQueryResult<Payment>;
  onConfirmed: () => void;
  onUnknownOutcome: () => void;
}) {
  if (started.isPending) return <Loading />;
  if (started.data === undefined) {
    if (codeOf(started.error) === "payments_not_configured") {
      return (
        <Notice tone="error" title="Payments are not set up yet.">
          <p>You cannot pay for this order. The ticket goes back on sale when your time is up.</p>
        </Notice>
      );
    }
    const notice = declinesNotice(codeOf(started.error));
    return notice ?? <Failed query={started} />;
  }
  const { clientSecret, publishableKey, status } = started.data;
  if (status !== "open" || !clientSecret || !publishableKey) {
    return (
      <Notice tone="error" title="This order can no longer be paid.">
        <p>{describeMoney("payable", started.data)} Cancel it, then order the ticket again.</p>
      </Notice>
    );
  }
  const Form = paymentFormFor(publishableKey);
  return (
    <section className="payment" aria-label="Payment">
      <h2>Pay by card</h2>
      <Suspense fallback={<Loading />}>
        <Form
          clientSecret={clientSecret}
          publishableKey={publishableKey}
          action={`Pay ${formatPrice(order.ticket.price, order.ticket.currency)}`}
          onConfirmed={onConfirmed}
          onUnknownOutcome={onUnknownOutcome}
        />
      </Suspense>
    </section>
  );
}
