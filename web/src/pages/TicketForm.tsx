import { type FormEvent, useRef, useState } from "react";
import { codeOf, explain, problemOf } from "../api/errors";
import type { TicketIn } from "../api/types";
import { Field, focusFirstProblem } from "../components/Field";
import { Notice } from "../components/states";
import { parsePrice } from "../rules/price";

/** What a seller says of a ticket. The server has the last word on what is wrong with it. */
export function TicketForm({
  ticket,
  currency,
  action,
  isPending,
  error,
  onSave,
}: {
  ticket?: TicketIn;
  /** Known from tickets that were seen; a stage has one. */
  currency: string | undefined;
  action: string;
  isPending: boolean;
  error: unknown;
  onSave: (ticket: TicketIn) => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [title, setTitle] = useState(ticket?.title ?? "");
  const [typed, setTyped] = useState(ticket?.price ?? "");
  const [wasTried, setTried] = useState(false);
  const price = parsePrice(typed);
  const problems = {
    title: title.trim() === "" ? "Say what the ticket is for." : undefined,
    price: price === null ? "Give a price in digits, for example 12.50." : undefined,
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (price === null || problems.title !== undefined) focusFirstProblem(form.current);
    else onSave({ title: title.trim(), price });
  };
  return (
    <form ref={form} onSubmit={submit} noValidate>
      {error !== null && <NotSaved error={error} />}
      <Field
        label="What is it for?"
        hint="Event, date and seat, as a buyer would look for it."
        name="title"
        value={title}
        maxLength={200}
        autoComplete="off"
        onChange={(event) => setTitle(event.target.value)}
        problem={(wasTried ? problems.title : undefined) ?? problemOf(error, "title")}
      />
      <Field
        label={currency ? `Price in ${currency.toUpperCase()}` : "Price"}
        name="price"
        className="short"
        inputMode="decimal"
        value={typed}
        autoComplete="off"
        onChange={(event) => setTyped(event.target.value)}
        problem={(wasTried ? problems.price : undefined) ?? problemOf(error, "price")}
      />
      <button type="submit" className="primary" disabled={isPending}>
        {isPending ? "Saving" : action}
      </button>
    </form>
  );
}

function NotSaved({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer has just taken this ticket.">
          <p>It was not changed. If they don’t pay in time you can edit it again.</p>
        </Notice>
      );
    case "ticket_sold":
      return <Notice tone="error" title="This ticket is sold. It was not changed." />;
    case "invalid_request":
      return <Notice tone="error" title="Please correct what is marked below." />;
    default: {
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice} What you typed is still here.</p>
        </Notice>
      );
    }
  }
}
