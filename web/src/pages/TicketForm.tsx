import { type FormEvent, useEffect, useRef, useState } from "react";
import { codeOf, explain, problemOf } from "../api/errors";
import type { Ticket, TicketIn } from "../api/types";
import { Field, fieldsOf, fillIn, focusFirstProblem } from "../components/Field";
import { Notice } from "../components/states";
import type { DraftPlace } from "../rules/drafts";
import { type Clash, type Content, clashes, type Field as FieldName, problemsOf } from "../rules/edit";
import { parsePrice } from "../rules/price";

const NOTHING: Content = { title: "", price: "" };

/** What a seller says of a ticket. The server has the last word on what is wrong with it. */
export function TicketForm({
  draft,
  ticket,
  currency,
  action,
  isPending,
  error,
  onSave,
}: {
  /** What was typed before the session ended, and where to keep it. */
  draft: DraftPlace;
  /** The ticket to edit, as it stands now: it may change while the form is open. */
  ticket?: Ticket;
  /** Known from tickets that were seen; a stage has one. */
  currency: string | undefined;
  action: string;
  isPending: boolean;
  error: unknown;
  onSave: (ticket: TicketIn) => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [start] = useState(() => draft.read());
  const [base, setBase] = useState(() => startingBase(start, ticket));
  const [clashing, setClashing] = useState<Clash[]>([]);
  const [problems, setProblems] = useState<ReturnType<typeof problemsOf> | null>(null);

  useEffect(() => {
    const { current } = form;
    if (current === null || ticket === undefined || ticket.version <= base.version) return;
    const found = clashes(contentOf(current), base, ticket);
    for (const { field, isUntouched, now } of found) if (isUntouched) fillIn(current, field, now);
    setBase({ title: ticket.title, price: ticket.price, version: ticket.version });
    setClashing((before) => [
      ...before.filter(({ field }) => !found.some((clash) => clash.field === field)),
      ...found,
    ]);
  }, [ticket, base]);

  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    const content = contentOf(currentTarget);
    draft.keep({ ...content, base: JSON.stringify(base) });
    if (problems !== null) setProblems(problemsOf(content));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const content = contentOf(event.currentTarget);
    // What a browser has filled in without a word was not kept yet.
    draft.keep({ ...content, base: JSON.stringify(base) });
    const found = problemsOf(content);
    const price = parsePrice(content.price);
    setProblems(found);
    if (price === null || found.title !== undefined) focusFirstProblem(form.current);
    else onSave({ title: content.title, price });
  };
  const clashOf = (name: FieldName) => {
    const clash = clashing.find(({ field }) => field === name);
    return clash && <Versions clash={clash} onTake={(text) => fillIn(form.current, name, text)} />;
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      {error !== null && <NotSaved error={error} />}
      {error === null && clashing.length > 0 && <ChangedElsewhere />}
      <Field
        label="What is it for?"
        hint="Event, date and seat, as a buyer would look for it. At most 200 characters."
        name="title"
        defaultValue={start?.title ?? base.title}
        autoComplete="off"
        problem={problems?.title ?? problemOf(error, "title")}
      >
        {clashOf("title")}
      </Field>
      <Field
        label={currency ? `Price in ${currency.toUpperCase()}` : "Price"}
        name="price"
        className="short"
        inputMode="decimal"
        defaultValue={start?.price ?? base.price}
        autoComplete="off"
        problem={problems?.price ?? problemOf(error, "price")}
      >
        {clashOf("price")}
      </Field>
      <button type="submit" className="primary" disabled={isPending}>
        {isPending ? "Saving" : action}
      </button>
    </form>
  );
}

/** What the form's fields are compared with: the ticket as it was when they were filled in. */
function startingBase(start: Record<string, string> | null, ticket: Ticket | undefined): Content & Base {
  if (start?.base !== undefined) return JSON.parse(start.base);
  if (ticket === undefined) return { ...NOTHING, version: 0 };
  return { title: ticket.title, price: ticket.price, version: ticket.version };
}

interface Base {
  version: number;
}

function contentOf(form: HTMLFormElement): Content {
  return { ...NOTHING, ...fieldsOf(form) };
}

/** A field that was changed here and elsewhere: its seller chooses. */
function Versions({ clash, onTake }: { clash: Clash; onTake: (text: string) => void }) {
  return (
    <fieldset className="versions">
      <legend>Changed elsewhere meanwhile. Use</legend>
      <button type="button" onClick={() => onTake(clash.now)}>
        the new one: <bdi>{clash.now}</bdi>
      </button>
      <button type="button" onClick={() => onTake(clash.yours)}>
        {clash.isUntouched ? "the old one" : "yours"}: <bdi>{clash.yours}</bdi>
      </button>
    </fieldset>
  );
}

function ChangedElsewhere() {
  return (
    <Notice tone="error" title="This ticket was changed elsewhere meanwhile.">
      <p>Nothing was saved here. Compare what is marked below, then save.</p>
    </Notice>
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
