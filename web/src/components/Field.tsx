import { type InputHTMLAttributes, type ReactNode, useId } from "react";

/**
 * A labelled input with its hint and what is wrong with it. Its form reads it when it is sent (`fieldsOf`), so what a
 * password manager has put there counts, whether it tells of it or not.
 */
export function Field({
  label,
  hint,
  problem,
  children,
  ...input
}: {
  label: string;
  name: string;
  hint?: string | undefined;
  problem?: string | undefined;
  /** Below the input: what belongs to it. */
  children?: ReactNode;
} & Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "maxLength">) {
  const id = useId();
  const told = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        dir="auto"
        {...input}
        id={id}
        aria-invalid={problem !== undefined}
        aria-describedby={told || undefined}
      />
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {problem && (
        <p className="problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
      {children}
    </div>
  );
}

/** What is in a form's fields at this moment, by their names. */
export function fieldsOf(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries(Array.from(new FormData(form), ([name, value]) => [name, String(value)]));
}

/** Puts a text into one of a form's fields. */
export function fillIn(form: HTMLFormElement | null, name: string, text: string): void {
  const field = form?.elements.namedItem(name);
  if (field instanceof HTMLInputElement) field.value = text;
}

/** Where a form has problems, its first field that has one gets the focus. */
export function focusFirstProblem(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => form?.querySelector<HTMLInputElement>('[aria-invalid="true"]')?.focus());
}
