/** The fields of forms about an account, with what password managers need to fill them in and to save them. */

import { PASSWORD_HINT } from "../rules/password";
import { Field } from "./Field";

interface Props {
  label?: string;
  name?: string;
  error: string | undefined;
}

export function EmailField({ label = "E-mail", name = "email", error }: Props) {
  return (
    <Field
      label={label}
      name={name}
      // With type "email", Chromium converts domains such as müller.example to Punycode during input.
      type="text"
      inputMode="email"
      autoComplete="username"
      autoCapitalize="none"
      autoCorrect="off"
      spellCheck={false}
      error={error}
    />
  );
}

export function KnownPasswordField({ label = "Password", name = "password", error }: Props) {
  return <Field label={label} name={name} type="password" autoComplete="current-password" error={error} />;
}

export function NewPasswordField({ label = "Password", name = "password", error }: Props) {
  return (
    <Field
      label={label}
      hint={PASSWORD_HINT}
      name={name}
      type="password"
      autoComplete="new-password"
      error={error}
    />
  );
}

/** The address of the account to which a new password belongs, for password managers. */
export function HiddenEmail({ email }: { email: string }) {
  return <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />;
}
