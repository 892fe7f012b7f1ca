import { Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";
import type { Appearance, Stripe } from "@stripe/stripe-js";
import { loadStripe } from "@stripe/stripe-js/pure";
import { type FormEvent, useEffect, useState } from "react";
import { Loading, Notice } from "../components/states";
import { isOutcomeKnown } from "./outcome";
import type { PaymentFormProps } from "./PaymentForm";

const DECLINED = "You have not been charged. Try again, or use another card.";
const NOT_LOADED = {
  title: "The payment form could not be loaded.",
  advice: "Check your connection, then reload this page.",
};

/** Stripe's Payment Element. It runs in Stripe's frame, so card numbers never reach this page. */
export function StripePaymentForm({ clientSecret, publishableKey, ...props }: PaymentFormProps) {
  const [stripe, setStripe] = useState<Stripe | null>(null);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    if (hasFailed) return;
    let isCurrent = true;
    loadStripe(publishableKey).then(
      (loaded) => isCurrent && setStripe(loaded),
      () => isCurrent && setFailed(true),
    );
    return () => {
      isCurrent = false;
    };
  }, [publishableKey, hasFailed]);
  if (hasFailed) {
    return (
      <Notice tone="error" title="The payment form could not be loaded.">
        <p>You have not been charged. Check your connection and your ad or script blocker, then try again.</p>
        <button type="button" onClick={() => setFailed(false)}>
          Try again
        </button>
      </Notice>
    );
  }
  if (stripe === null) return <Loading />;
  return (
    <Elements stripe={stripe} options={{ clientSecret, appearance: appearance() }}>
      <Form {...props} />
    </Elements>
  );
}

function Form({
  action,
  onConfirmed,
  onUnknownOutcome,
}: Pick<PaymentFormProps, "action" | "onConfirmed" | "onUnknownOutcome">) {
  const stripe = useStripe();
  const elements = useElements();
  const [isBusy, setBusy] = useState(false);
  const [isReady, setReady] = useState(false);
  const [failure, setFailure] = useState<{ title: string; advice: string } | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (stripe === null || elements === null) return;
    setBusy(true);
    setFailure(null);
    // If Stripe's script rejects the promise, the outcome is unknown, as after a lost response.
    const { error } = await stripe
      .confirmPayment({
        elements,
        confirmParams: { return_url: window.location.href },
        redirect: "if_required",
      })
      .catch(() => ({ error: { type: "api_connection_error", code: undefined, message: undefined } }));
    setBusy(false);
    if (error === undefined) onConfirmed();
    else if (!isOutcomeKnown(error)) onUnknownOutcome();
    // Stripe's form shows validation errors itself.
    else if (error.type !== "validation_error")
      setFailure({ title: error.message ?? "The payment failed.", advice: DECLINED });
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <PaymentElement onReady={() => setReady(true)} onLoadError={() => setFailure(NOT_LOADED)} />
      {failure !== null && (
        <Notice tone="error" title={failure.title}>
          <p>{failure.advice}</p>
        </Notice>
      )}
      <button type="submit" className="primary" disabled={!isReady || isBusy}>
        {isBusy ? "Contacting your bank" : action}
      </button>
    </form>
  );
}

/** The colours of this page, light or dark, for Stripe's form. */
function appearance(): Appearance {
  const style = getComputedStyle(document.documentElement);
  const isDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const colour = (name: string) => style.getPropertyValue(`--${name}-${isDark ? "dark" : "light"}`).trim();
  return {
    theme: isDark ? "night" : "stripe",
    variables: {
      colorPrimary: colour("ink"),
      colorBackground: colour("paper"),
      colorText: colour("ink"),
      colorDanger: colour("danger"),
      borderRadius: "6px",
    },
  };
}
