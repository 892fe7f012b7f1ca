import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { Link, Navigate, useLocation, useSearchParams } from "react-router";
import { codeOf, explain, fieldError } from "../api/errors";
import { useSignIn } from "../api/mutations";
import { currentUser } from "../api/session";
import { Field, focusFirstError, formValues } from "../components/Field";
import { Failed, Loading, Notice } from "../components/states";
import { Title } from "../components/Title";
import { PASSWORD_HINT, passwordError } from "../rules/password";
import { returnPath, signInPath } from "../rules/returnPath";

const LABELS = {
  signin: { title: "Sign in", other: "/signup", ask: "New here?", offer: "Sign up" },
  signup: { title: "Sign up", other: "/signin", ask: "Already have an account?", offer: "Sign in" },
} as const;

export function SignIn({ page }: { page: "signin" | "signup" }) {
  const next = returnPath(useSearchParams()[0].get("next"));
  const { state } = useLocation();
  const user = useQuery(currentUser);
  const { title, other, ask, offer } = LABELS[page];
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data !== null) return <Navigate to={next} replace />;
  return (
    <div className="slim">
      <Title text={title} />
      <h1>{title}</h1>
      {state?.hasEnded && (
        <Notice tone="plain" title="You are signed out.">
          <p>Sign in to continue where you left off.</p>
        </Notice>
      )}
      <Form page={page} action={title} />
      <p>
        {ask}{" "}
        <Link to={signInPath(next, other)} state={state}>
          {offer}
        </Link>
      </p>
    </div>
  );
}

function Form({ page, action }: { page: "signin" | "signup"; action: string }) {
  const form = useRef<HTMLFormElement>(null);
  const [errors, setErrors] = useState<FieldErrors | null>(null);
  const signIn = useSignIn(page);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { email = "", password = "" } = formValues(event.currentTarget);
    const found = validate(page, email, password);
    setErrors(found);
    if (found.email || found.password) focusFirstError(form.current);
    else signIn.mutate({ email: email.trim(), password });
  };
  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    const { email = "", password = "" } = formValues(currentTarget);
    if (errors !== null) setErrors(validate(page, email, password));
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      {signIn.isError && <SignInError error={signIn.error} />}
      <Field
        label="E-mail"
        name="email"
        // With type "email", Chromium converts domains such as müller.example to Punycode during input.
        type="text"
        inputMode="email"
        autoComplete="username"
        autoCapitalize="none"
        autoCorrect="off"
        spellCheck={false}
        error={errors?.email ?? fieldError(signIn.error, "email")}
      />
      <Field
        label="Password"
        hint={page === "signup" ? PASSWORD_HINT : undefined}
        name="password"
        type="password"
        autoComplete={page === "signup" ? "new-password" : "current-password"}
        error={errors?.password ?? fieldError(signIn.error, "password")}
      />
      <button type="submit" className="primary" disabled={signIn.isPending}>
        {signIn.isPending ? "One moment" : action}
      </button>
    </form>
  );
}

interface FieldErrors {
  email: string | undefined;
  password: string | undefined;
}

function validate(page: "signin" | "signup", email: string, password: string): FieldErrors {
  return {
    email: /^\S+@\S+$/.test(email.trim()) ? undefined : "Enter your e-mail address.",
    password: passwordError(password, page),
  };
}

function SignInError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "bad_credentials":
      return (
        <Notice tone="error" title="The e-mail address or password is wrong.">
          <p>Please check both and try again.</p>
        </Notice>
      );
    case "email_in_use":
      return (
        <Notice tone="error" title="An account with this e-mail address already exists.">
          <p>If it is yours, sign in instead.</p>
        </Notice>
      );
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked fields." />;
    default: {
      const { title, advice } = explain(error);
      return (
        <Notice tone="error" title={title}>
          <p>{advice}</p>
        </Notice>
      );
    }
  }
}
