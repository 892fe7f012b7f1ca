import { type FormEvent, useEffect, useRef, useState } from "react";
import { Field, fillIn, formValues } from "../components/Field";
import { Notice } from "../components/states";
import { type Attempt, authenticate, confirm } from "./localStripe";
import type { PaymentFormProps } from "./PaymentForm";

const TEST_CARDS = [
  { name: "Accepted", number: "4242 4242 4242 4242" },
  { name: "3-D Secure", number: "4000 0000 0000 3220" },
  { name: "Declined", number: "4000 0000 0000 0002" },
  { name: "Insufficient funds", number: "4000 0000 0000 9995" },
];

/** The card form for the local Stripe, in place of Stripe's Payment Element. */
export function LocalPaymentForm({
  clientSecret,
  publishableKey,
  action,
  onConfirmed,
  onUnknownOutcome,
}: PaymentFormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState<Attempt | null>(null);
  const showOutcome = async (next: Promise<Attempt>) => {
    setBusy(true);
    const outcome = await next;
    setBusy(false);
    setAttempt(outcome);
    if (outcome.kind === "accepted") onConfirmed();
    if (outcome.kind === "unknown") onUnknownOutcome();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setAttempt(null);
    const { number = "", expiry = "", cvc = "" } = formValues(event.currentTarget);
    void showOutcome(confirm(clientSecret, publishableKey, { number, expiry, cvc }));
  };
  return (
    <form ref={form} onSubmit={submit}>
      <p className="hint">This is the local Stripe. It accepts test cards only, and no money moves.</p>
      <fieldset className="test-cards">
        <legend>Test cards</legend>
        {TEST_CARDS.map(({ name, number }) => (
          <button key={number} type="button" onClick={() => fillIn(form.current, "number", number)}>
            {name}
          </button>
        ))}
      </fieldset>
      <Field label="Card number" name="number" inputMode="numeric" autoComplete="off" required />
      <div className="pair">
        <Field label="Expires" name="expiry" autoComplete="off" required defaultValue="12/34" />
        <Field
          label="Security code"
          name="cvc"
          inputMode="numeric"
          autoComplete="off"
          required
          defaultValue="123"
        />
      </div>
      {attempt?.kind === "declined" && (
        <Notice tone="error" title={attempt.message}>
          <p>You have not been charged. Try again, or use another card.</p>
        </Notice>
      )}
      <button type="submit" className="primary" disabled={isBusy || attempt?.kind === "accepted"}>
        {isBusy ? "Contacting your bank" : action}
      </button>
      {attempt?.kind === "challenged" && (
        <Challenge
          isBusy={isBusy}
          onAnswer={(outcome) => void showOutcome(authenticate(clientSecret, outcome))}
        />
      )}
    </form>
  );
}

/** The dialog in which a bank would authenticate the cardholder. */
function Challenge({
  isBusy,
  onAnswer,
}: {
  isBusy: boolean;
  onAnswer: (outcome: "complete" | "fail") => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="challenge" onCancel={() => onAnswer("fail")}>
      <h2 id="challenge">3-D Secure</h2>
      <p>Here your bank would ask you to confirm the payment.</p>
      <button type="button" className="primary" disabled={isBusy} onClick={() => onAnswer("complete")}>
        Complete authentication
      </button>
      <button type="button" disabled={isBusy} onClick={() => onAnswer("fail")}>
        Fail authentication
      </button>
    </dialog>
  );
}
