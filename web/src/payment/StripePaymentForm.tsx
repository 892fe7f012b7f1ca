import { Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";
import type { Appearance, Stripe } from "@stripe/stripe-js";
import { loadStripe } from "@stripe/stripe-js/pure";
import { type FormEvent, useEffect, useState } from "react";
import { Loading, Notice } from "../components/states";
import { isOutcomeKnown } from "./outcome";
import type { PaymentFormProps } from "./PaymentForm";

const DECLINED = "You have not been charged. Try again, or take another card.";
const NOT_LOADED = {
  title: "Stripe’s form could not be loaded.",
  advice: "Check your connection, then load this page again.",
};

/** Stripe's own form, in its own frame: no card number ever reaches this page. */
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
      <Notice tone="error" title="Stripe’s form could not be loaded.">
        <p>Without it no card can be charged. Check your connection and anything that blocks scripts.</p>
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

function Form({ action, onConfirmed, onLost }: Pick<PaymentFormProps, "action" | "onConfirmed" | "onLost">) {
  const stripe = useStripe();
  const elements = useElements();
  const [isBusy, setBusy] = useState(false);
  const [isReady, setReady] = useState(false);
  const [problem, setProblem] = useState<{ title: string; advice: string } | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (stripe === null || elements === null) return;
    setBusy(true);
    setProblem(null);
    // A promise that Stripe's script breaks tells as little as an answer that got lost.
    const { error } = await stripe
      .confirmPayment({
        elements,
        confirmParams: { return_url: window.location.href },
        redirect: "if_required",
      })
      .catch(() => ({ error: { type: "api_connection_error", code: undefined, message: undefined } }));
    setBusy(false);
    if (error === undefined) onConfirmed();
    else if (!isOutcomeKnown(error)) onLost();
    // Typing mistakes are shown in the form itself.
    else if (error.type !== "validation_error")
      setProblem({ title: error.message ?? "Stripe did not say why.", advice: DECLINED });
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <PaymentElement onReady={() => setReady(true)} onLoadError={() => setProblem(NOT_LOADED)} />
      {problem !== null && (
        <Notice tone="error" title={problem.title}>
          <p>{problem.advice}</p>
        </Notice>
      )}
      <button type="submit" className="primary" disabled={!isReady || isBusy}>
        {isBusy ? "Asking your bank" : action}
      </button>
    </form>
  );
}

/** Stripe's form in the colours of this page, light or dark. */
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
