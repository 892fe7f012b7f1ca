import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { focusFirstError, formValues } from "./Field";

export type FieldErrors = Record<string, string | undefined>;

/**
 * A form that is sent once its fields are valid. After the first attempt, its errors are updated during input. `children`
 * renders the fields with their errors.
 */
export function Form({
  action,
  isPending,
  validate,
  onSend,
  notice,
  children,
}: {
  /** The text of the button. */
  action: string;
  isPending: boolean;
  validate: (values: Record<string, string>) => FieldErrors;
  onSend: (values: Record<string, string>, form: HTMLFormElement) => void;
  /** Shown above the fields: what went wrong. */
  notice?: ReactNode;
  children: (errors: FieldErrors) => ReactNode;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [errors, setErrors] = useState<FieldErrors | null>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const values = formValues(event.currentTarget);
    const found = validate(values);
    setErrors(found);
    if (Object.values(found).some(Boolean)) focusFirstError(form.current);
    else onSend(values, event.currentTarget);
  };
  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    if (errors !== null) setErrors(validate(formValues(currentTarget)));
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      {notice}
      {children(errors ?? {})}
      <button type="submit" className="primary" disabled={isPending}>
        {isPending ? "One moment" : action}
      </button>
    </form>
  );
}
