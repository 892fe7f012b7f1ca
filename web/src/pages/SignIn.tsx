import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { Link, Navigate, useSearchParams } from "react-router";
import { useSignIn } from "../api/changes";
import { codeOf, explain, problemOf } from "../api/errors";
import { currentUser } from "../api/queries";
import { Field, focusFirstProblem } from "../components/Field";
import { Failed, Loading, Notice } from "../components/states";
import { returnPath, signInPath } from "../rules/returnPath";

const SHORTEST_PASSWORD = 8;

const WORDS = {
  signin: { title: "Sign in", other: "/signup", ask: "New here?", offer: "Sign up" },
  signup: { title: "Sign up", other: "/signin", ask: "Already signed up?", offer: "Sign in" },
} as const;

export function SignIn({ page }: { page: "signin" | "signup" }) {
  const next = returnPath(useSearchParams()[0].get("next"));
  const user = useQuery(currentUser);
  const { title, other, ask, offer } = WORDS[page];
  if (user.isPending) return <Loading />;
  if (user.data === undefined) return <Failed query={user} />;
  if (user.data !== null) return <Navigate to={next} replace />;
  return (
    <div className="slim">
      <title>{`${title} · Admit One`}</title>
      <h1>{title}</h1>
      <Form page={page} action={title} />
      <p>
        {ask} <Link to={signInPath(next, other)}>{offer}</Link>
      </p>
    </div>
  );
}

function Form({ page, action }: { page: "signin" | "signup"; action: string }) {
  const form = useRef<HTMLFormElement>(null);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [wasTried, setTried] = useState(false);
  const sign = useSignIn(page);
  const isTooShort = page === "signup" ? password.length < SHORTEST_PASSWORD : password === "";
  const problems = {
    email: /^\S+@\S+$/.test(email.trim()) ? undefined : "Give your e-mail address.",
    password: isTooShort
      ? page === "signup"
        ? `Take at least ${SHORTEST_PASSWORD} characters.`
        : "Give your password."
      : undefined,
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (problems.email || problems.password) focusFirstProblem(form.current);
    else sign.mutate({ email: email.trim(), password });
  };
  return (
    <form ref={form} onSubmit={submit} noValidate>
      {sign.isError && <NotSignedIn error={sign.error} />}
      <Field
        label="E-mail"
        name="email"
        type="email"
        autoComplete="username"
        value={email}
        onChange={(event) => setEmail(event.target.value)}
        problem={(wasTried ? problems.email : undefined) ?? problemOf(sign.error, "email")}
      />
      <Field
        label="Password"
        hint={page === "signup" ? `At least ${SHORTEST_PASSWORD} characters.` : undefined}
        name="password"
        type="password"
        autoComplete={page === "signup" ? "new-password" : "current-password"}
        maxLength={128}
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        problem={(wasTried ? problems.password : undefined) ?? problemOf(sign.error, "password")}
      />
      <button type="submit" className="primary" disabled={sign.isPending}>
        {sign.isPending ? "One moment" : action}
      </button>
    </form>
  );
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
