import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, useLocation, useSearchParams } from "react-router";
import { codeOf, fieldError, newPasswordError } from "../api/errors";
import { useSignIn } from "../api/mutations";
import { currentUser } from "../api/session";
import { EmailField, KnownPasswordField, NewPasswordField } from "../components/accountFields";
import { Form } from "../components/Form";
import { ErrorNotice, Failed, Loading, Notice } from "../components/states";
import { Title } from "../components/Title";
import { emailError } from "../rules/email";
import { passwordError } from "../rules/password";
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
      <Credentials page={page} action={title} />
      {page === "signin" && (
        <p>
          <Link to="/forgot">Forgot your password?</Link>
        </p>
      )}
      <p>
        {ask}{" "}
        <Link to={signInPath(next, other)} state={state}>
          {offer}
        </Link>
      </p>
    </div>
  );
}

function Credentials({ page, action }: { page: "signin" | "signup"; action: string }) {
  const signIn = useSignIn(page);
  return (
    <Form
      action={action}
      isPending={signIn.isPending}
      validate={({ email = "", password = "" }) => ({
        email: emailError(email),
        password: passwordError(password, page),
      })}
      onSend={({ email = "", password = "" }) => signIn.mutate({ email: email.trim(), password })}
      notice={signIn.isError && <SignInError error={signIn.error} />}
    >
      {(errors) => (
        <>
          <EmailField error={errors.email ?? fieldError(signIn.error, "email")} />
          {page === "signup" ? (
            <NewPasswordField error={errors.password ?? newPasswordError(signIn.error, "password")} />
          ) : (
            <KnownPasswordField error={errors.password ?? fieldError(signIn.error, "password")} />
          )}
        </>
      )}
    </Form>
  );
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
    case "password_refused":
      return <Notice tone="error" title="Please correct the marked fields." />;
    default:
      return <ErrorNotice error={error} />;
  }
}
