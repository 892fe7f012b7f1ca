import { type FormEvent, useEffect, useRef, useState } from "react";
import { Field, fieldsOf, fillIn } from "../components/Field";
import { Notice } from "../components/states";
import { type Attempt, authenticate, confirm } from "./localStripe";
import type { PaymentFormProps } from "./PaymentForm";

const TEST_CARDS = [
  { name: "pays", number: "4242 4242 4242 4242" },
  { name: "asks for 3-D Secure", number: "4000 0000 0000 3220" },
  { name: "is declined", number: "4000 0000 0000 0002" },
  { name: "has no funds", number: "4000 0000 0000 9995" },
];

/** The stand-in for Stripe's form, before the local Stripe. */
export function LocalPaymentForm({
  clientSecret,
  publishableKey,
  action,
  onConfirmed,
  onLost,
}: PaymentFormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [attempt, setAttempt] = useState<Attempt | null>(null);
  const wait = async (next: Promise<Attempt>) => {
    setBusy(true);
    const made = await next;
    setBusy(false);
    setAttempt(made);
    if (made.kind === "accepted") onConfirmed();
    if (made.kind === "lost") onLost();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setAttempt(null);
    const { number = "", expiry = "", cvc = "" } = fieldsOf(event.currentTarget);
    void wait(confirm(clientSecret, publishableKey, { number, expiry, cvc }));
  };
  return (
    <form ref={form} onSubmit={submit}>
      <p className="hint">This is the local Stripe: it takes test cards, and no money moves.</p>
      <fieldset className="test-cards">
        <legend>A test card that</legend>
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
          <p>You have not been charged. Try again, or take another card.</p>
        </Notice>
      )}
      <button type="submit" className="primary" disabled={isBusy || attempt?.kind === "accepted"}>
        {isBusy ? "Asking your bank" : action}
      </button>
      {attempt?.kind === "challenged" && (
        <Challenge isBusy={isBusy} onAnswer={(outcome) => void wait(authenticate(clientSecret, outcome))} />
      )}
    </form>
  );
}

/** The window in which a cardholder's bank asks whether it is them. */
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
      <p>Your bank would ask here whether it is really you.</p>
      <button type="button" className="primary" disabled={isBusy} onClick={() => onAnswer("complete")}>
        Complete authentication
      </button>
      <button type="button" disabled={isBusy} onClick={() => onAnswer("fail")}>
        Fail authentication
      </button>
    </dialog>
  );
}
