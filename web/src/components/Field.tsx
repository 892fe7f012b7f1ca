import { type InputHTMLAttributes, type ReactNode, useId } from "react";

/**
 * A labelled input with a hint and an error message. It is uncontrolled: its form reads the value on submit
 * (`formValues`), so values count that a password manager has set without an event.
 */
export function Field({
  label,
  hint,
  error,
  children,
  ...input
}: {
  label: string;
  name: string;
  hint?: string | undefined;
  error?: string | undefined;
  /** Shown below the input. */
  children?: ReactNode;
} & Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "maxLength">) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        dir="auto"
        {...input}
        id={id}
        aria-invalid={error !== undefined}
        aria-describedby={describedBy || undefined}
      />
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p className="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
      {children}
    </div>
  );
}

/** The current values of a form's fields, by name. */
export function formValues(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries(Array.from(new FormData(form), ([name, value]) => [name, String(value)]));
}

/** Sets the value of one field of a form. */
export function fillIn(form: HTMLFormElement | null, name: string, text: string): void {
  const field = form?.elements.namedItem(name);
  if (field instanceof HTMLInputElement) field.value = text;
}

/** Moves the focus to the first invalid field of a form. */
export function focusFirstError(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => form?.querySelector<HTMLInputElement>('[aria-invalid="true"]')?.focus());
}
