import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { Link, Navigate, useLocation, useSearchParams } from "react-router";
import { useSignIn } from "../api/changes";
import { codeOf, explain, problemOf } from "../api/errors";
import { currentUser } from "../api/session";
import { Field, fieldsOf, focusFirstProblem } from "../components/Field";
import { Failed, Loading, Notice } from "../components/states";
import { PASSWORD_HINT, passwordProblem } from "../rules/password";
import { returnPath, signInPath } from "../rules/returnPath";

const WORDS = {
  signin: { title: "Sign in", other: "/signup", ask: "New here?", offer: "Sign up" },
  signup: { title: "Sign up", other: "/signin", ask: "Already signed up?", offer: "Sign in" },
} as const;

export function SignIn({ page }: { page: "signin" | "signup" }) {
  const next = returnPath(useSearchParams()[0].get("next"));
  const { state } = useLocation();
  const user = useQuery(currentUser);
  const { title, other, ask, offer } = WORDS[page];
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data !== null) return <Navigate to={next} replace />;
  return (
    <div className="slim">
      <title>{`${title} · Admit One`}</title>
      <h1>{title}</h1>
      {state?.hasEnded && (
        <Notice tone="plain" title="You are signed out.">
          <p>Sign in to go on where you were.</p>
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
  const [problems, setProblems] = useState<Problems | null>(null);
  const sign = useSignIn(page);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { email = "", password = "" } = fieldsOf(event.currentTarget);
    const found = problemsOf(page, email, password);
    setProblems(found);
    if (found.email || found.password) focusFirstProblem(form.current);
    else sign.mutate({ email: email.trim(), password });
  };
  const onInput = ({ currentTarget }: FormEvent<HTMLFormElement>) => {
    const { email = "", password = "" } = fieldsOf(currentTarget);
    if (problems !== null) setProblems(problemsOf(page, email, password));
  };
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate>
      {sign.isError && <NotSignedIn error={sign.error} />}
      <Field
        label="E-mail"
        name="email"
        // Of type "email" Chromium would put a name like müller.example into Punycode while it is typed.
        type="text"
        inputMode="email"
        autoComplete="username"
        autoCapitalize="none"
        autoCorrect="off"
        spellCheck={false}
        problem={problems?.email ?? problemOf(sign.error, "email")}
      />
      <Field
        label="Password"
        hint={page === "signup" ? PASSWORD_HINT : undefined}
        name="password"
        type="password"
        autoComplete={page === "signup" ? "new-password" : "current-password"}
        problem={problems?.password ?? problemOf(sign.error, "password")}
      />
      <button type="submit" className="primary" disabled={sign.isPending}>
        {sign.isPending ? "One moment" : action}
      </button>
    </form>
  );
}

interface Problems {
  email: string | undefined;
  password: string | undefined;
}

function problemsOf(page: "signin" | "signup", email: string, password: string): Problems {
  return {
    email: /^\S+@\S+$/.test(email.trim()) ? undefined : "Give your e-mail address.",
    password: passwordProblem(password, page),
  };
}

function NotSignedIn({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "bad_credentials":
      return (
        <Notice tone="error" title="That e-mail and password don’t go together.">
          <p>Check both and try again.</p>
        </Notice>
      );
    case "email_in_use":
      return (
        <Notice tone="error" title="Somebody has signed up with this e-mail.">
          <p>If it was you, sign in instead.</p>
        </Notice>
      );
    case "invalid_request":
      return <Notice tone="error" title="Please correct what is marked below." />;
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
