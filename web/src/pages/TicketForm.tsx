import { type FormEvent, useEffect, useRef, useState } from "react";
import { codeOf, explain, problemOf, Undecided } from "../api/errors";
import type { Ticket } from "../api/types";
import { Field, fieldsOf, fillIn, focusFirstProblem } from "../components/Field";
import { Notice, Said } from "../components/states";
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
  isUndecided = false,
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
  /** The server has taken what was sent, and does not know yet what will come of it. */
  isUndecided?: boolean;
  error: unknown;
  /** With the version of the ticket that the form is based on; 0 for a new one. */
  onSave: (content: Content, version: number) => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [start] = useState(() => startOf(draft, ticket));
  const [base, setBase] = useState(start.base);
  const [clashing, setClashing] = useState<Clash[]>([]);
  const [problems, setProblems] = useState<ReturnType<typeof problemsOf> | null>(null);

  useEffect(() => {
    const { current } = form;
    if (current === null || ticket === undefined || !isNewer(ticket, base)) return;
    const found = clashes(contentOf(current), base, ticket);
    for (const { field, isUntouched, now } of found) if (isUntouched) fillIn(current, field, now);
    const newest = baseOf(ticket);
    keep(draft, current, newest);
    setBase(newest);
    setClashing((before) => [
      ...before.filter(({ field }) => !found.some((clash) => clash.field === field)),
      ...found,
    ]);
  }, [ticket, base, draft]);

  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    keep(draft, currentTarget, base);
    if (problems !== null) setProblems(problemsOf(contentOf(currentTarget)));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    // What a browser has filled in without a word was not kept yet.
    keep(draft, event.currentTarget, base);
    const content = contentOf(event.currentTarget);
    const found = problemsOf(content);
    const price = parsePrice(content.price);
    setProblems(found);
    if (price === null || found.title !== undefined) focusFirstProblem(form.current);
    else onSave({ title: content.title, price }, base.version);
  };
  const take = (field: FieldName, text: string) => {
    fillIn(form.current, field, text);
    if (form.current !== null) keep(draft, form.current, base);
  };
  const clashOf = (name: FieldName) => {
    const clash = clashing.find(({ field }) => field === name);
    return clash && <Versions clash={clash} onTake={(text) => take(name, text)} />;
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      <div role="status">{isUndecided && <BeingMade />}</div>
      {error !== null && <NotSaved error={error} />}
      {error === null && clashing.length > 0 && <ChangedElsewhere />}
      <Field
        label="What is it for?"
        hint="Event, date and seat, as a buyer would look for it. At most 200 characters."
        name="title"
        defaultValue={start.title}
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
        defaultValue={start.price}
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

/** The ticket that a form is based on, as it was when it was read. */
interface Base extends Content {
  version: number;
}

const baseOf = ({ title, price, version }: Base): Base => ({ title, price, version });

/** Whether a ticket was changed after that. A reservation gives it a new version too, and no other content. */
function isNewer(ticket: Ticket, base: Base): boolean {
  return ticket.version > base.version && (ticket.title !== base.title || ticket.price !== base.price);
}

/** What a form begins with: what was typed before, or the ticket. */
function startOf(draft: DraftPlace, ticket: Ticket | undefined): Content & { base: Base } {
  const kept = draft.read();
  const base = kept?.base ? JSON.parse(kept.base) : baseOf(ticket ?? { ...NOTHING, version: 0 });
  return { title: kept?.title ?? base.title, price: kept?.price ?? base.price, base };
}

function keep(draft: DraftPlace, form: HTMLFormElement, base: Base): void {
  draft.keep({ ...contentOf(form), base: JSON.stringify(base) });
}

function contentOf(form: HTMLFormElement): Content {
  return { ...NOTHING, ...fieldsOf(form) };
}

/** A field that was changed here and elsewhere: its seller chooses. */
function Versions({ clash, onTake }: { clash: Clash; onTake: (text: string) => void }) {
  return (
    <fieldset className="versions">
      <legend>The {clash.field} was changed elsewhere meanwhile. Use</legend>
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
      <p>Your changes are not saved yet. Compare what is marked below, then save.</p>
    </Notice>
  );
}

function BeingMade() {
  return (
    <Said tone="plain" title="Your change is being made.">
      <p>The ticket shows it as soon as it is in force.</p>
    </Said>
  );
}

function NotSaved({ error }: { error: unknown }) {
  if (error instanceof Undecided) return <BeingMade />;
  switch (codeOf(error)) {
    case "ticket_changed":
      return <ChangedElsewhere />;
    case "change_pending":
      return (
        <Notice tone="error" title="An earlier change of this ticket is still being made.">
          <p>Save again in a moment. What you typed is still here.</p>
        </Notice>
      );
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer has just taken this ticket.">
          <p>
            It was not changed. Save again if they don’t pay in time: what you typed is still here. If they do
            pay, it is sold at the price that they were shown.
          </p>
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
