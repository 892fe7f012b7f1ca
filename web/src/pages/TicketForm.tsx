import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { codeOf, explain, fieldError, PendingError } from "../api/errors";
import type { Ticket } from "../api/types";
import { Field, fillIn, focusFirstError, formValues } from "../components/Field";
import { Notice, NoticeBox } from "../components/states";
import { fee as feeQuery } from "../payouts/queries";
import type { DraftStorage } from "../rules/drafts";
import {
  type EditConflict,
  type FieldName,
  findConflicts,
  type TicketContent,
  validate,
} from "../rules/edit";
import { describeEarnings } from "../rules/fee";
import { parsePrice } from "../rules/price";

const EMPTY: TicketContent = { title: "", price: "" };

/** The form for a new ticket or an edit. It validates the input before the server does. */
export function TicketForm({
  draft,
  ticket,
  action,
  isPending,
  isPendingDecision = false,
  error,
  onSave,
}: {
  /** Keeps the input if the session expires. */
  draft: DraftStorage;
  /** The current ticket, for an edit. It may change while the form is open. */
  ticket?: Ticket;
  action: string;
  isPending: boolean;
  /** The server has accepted the change and not decided it yet. */
  isPendingDecision?: boolean;
  error: unknown;
  /** `version`: the version of the ticket on which the form is based, 0 for a new ticket. */
  onSave: (content: TicketContent, version: number) => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [initial] = useState(() => initialValues(draft, ticket));
  const [base, setBase] = useState(initial.base);
  const [conflicts, setConflicts] = useState<EditConflict[]>([]);
  const [errors, setErrors] = useState<ReturnType<typeof validate> | null>(null);
  const [price, setPrice] = useState(initial.price);
  const fee = useQuery(feeQuery).data;
  const currency = ticket?.currency ?? fee?.currency;

  useEffect(() => {
    const { current } = form;
    if (current === null || ticket === undefined || !isNewer(ticket, base)) return;
    const found = findConflicts(contentOf(current), base, ticket);
    for (const { field, isUntouched, now } of found) if (isUntouched) fillIn(current, field, now);
    const newest = baseOf(ticket);
    saveDraft(draft, current, newest);
    setPrice(contentOf(current).price);
    setBase(newest);
    setConflicts((before) => [
      ...before.filter(({ field }) => !found.some((conflict) => conflict.field === field)),
      ...found,
    ]);
  }, [ticket, base, draft]);

  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    saveDraft(draft, currentTarget, base);
    setPrice(contentOf(currentTarget).price);
    if (errors !== null) setErrors(validate(contentOf(currentTarget)));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    // The browser may have filled in fields without an input event.
    saveDraft(draft, event.currentTarget, base);
    const content = contentOf(event.currentTarget);
    const found = validate(content);
    const parsed = parsePrice(content.price);
    setErrors(found);
    if (parsed === null || found.title !== undefined) focusFirstError(form.current);
    else onSave({ title: content.title, price: parsed }, base.version);
  };
  const choose = (field: FieldName, text: string) => {
    if (form.current === null) return;
    fillIn(form.current, field, text);
    saveDraft(draft, form.current, base);
    setPrice(contentOf(form.current).price);
  };
  const conflictOf = (name: FieldName) => {
    const conflict = conflicts.find(({ field }) => field === name);
    return conflict && <ConflictChoice conflict={conflict} onChoose={(text) => choose(name, text)} />;
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      <div role="status">{isPendingDecision && <ChangePending />}</div>
      {error !== null && <SaveError error={error} />}
      {error === null && conflicts.length > 0 && <ChangedElsewhere />}
      <Field
        label="Title"
        hint="Event, date and seat, as buyers would search for them. At most 200 characters."
        name="title"
        defaultValue={initial.title}
        autoComplete="off"
        error={errors?.title ?? fieldError(error, "title")}
      >
        {conflictOf("title")}
      </Field>
      <Field
        label={currency ? `Price in ${currency.toUpperCase()}` : "Price"}
        name="price"
        className="short"
        inputMode="decimal"
        defaultValue={initial.price}
        autoComplete="off"
        error={errors?.price ?? fieldError(error, "price")}
      >
        <p className="hint" role="status">
          {fee && fee.currency === currency && describeEarnings(price, fee)}
        </p>
        {conflictOf("price")}
      </Field>
      <button type="submit" className="primary" disabled={isPending}>
        {isPending ? "Saving" : action}
      </button>
    </form>
  );
}

/** The version of the ticket on which a form is based. */
interface Base extends TicketContent {
  version: number;
}

const baseOf = ({ title, price, version }: Base): Base => ({ title, price, version });

/** Whether the content has changed since `base`. A hold raises the version too, without a change of the content. */
function isNewer(ticket: Ticket, base: Base): boolean {
  return ticket.version > base.version && (ticket.title !== base.title || ticket.price !== base.price);
}

/** The initial values of the form: from the draft or else the ticket. */
function initialValues(draft: DraftStorage, ticket: Ticket | undefined): TicketContent & { base: Base } {
  const saved = draft.read();
  const base = saved?.base ? JSON.parse(saved.base) : baseOf(ticket ?? { ...EMPTY, version: 0 });
  return { title: saved?.title ?? base.title, price: saved?.price ?? base.price, base };
}

function saveDraft(draft: DraftStorage, form: HTMLFormElement, base: Base): void {
  draft.save({ ...contentOf(form), base: JSON.stringify(base) });
}

function contentOf(form: HTMLFormElement): TicketContent {
  return { ...EMPTY, ...formValues(form) };
}

/** Lets the seller choose between the two values of a field that was changed here and elsewhere. */
function ConflictChoice({
  conflict,
  onChoose,
}: {
  conflict: EditConflict;
  onChoose: (text: string) => void;
}) {
  return (
    <fieldset className="conflict">
      <legend>The {conflict.field} was changed elsewhere. Choose one:</legend>
      <button type="button" onClick={() => onChoose(conflict.now)}>
        New: <bdi>{conflict.now}</bdi>
      </button>
      <button type="button" onClick={() => onChoose(conflict.yours)}>
        {conflict.isUntouched ? "Old" : "Yours"}: <bdi>{conflict.yours}</bdi>
      </button>
    </fieldset>
  );
}

function ChangedElsewhere() {
  return (
    <Notice tone="error" title="This ticket was changed elsewhere in the meantime.">
      <p>Your changes are not saved yet. Compare the values below, then save again.</p>
    </Notice>
  );
}

function ChangePending() {
  return (
    <NoticeBox tone="plain" title="Your change is being processed.">
      <p>The ticket will show it as soon as it takes effect.</p>
    </NoticeBox>
  );
}

function SaveError({ error }: { error: unknown }) {
  if (error instanceof PendingError) return <ChangePending />;
  switch (codeOf(error)) {
    case "ticket_changed":
      return <ChangedElsewhere />;
    case "change_pending":
      return (
        <Notice tone="error" title="An earlier change is still being processed.">
          <p>Save again in a moment. What you typed is still here.</p>
        </Notice>
      );
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer has just ordered this ticket.">
          <p>
            Your changes were not saved. If the buyer doesn’t pay in time, you can save them then: what you
            typed is still here. If they pay, they get the ticket at the price that they saw.
          </p>
        </Notice>
      );
    case "ticket_sold":
      return <Notice tone="error" title="This ticket has been sold. Your changes were not saved." />;
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked fields." />;
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
