import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "react-router";
import { useVerifyEmail } from "../api/account";
import { codeOf } from "../api/errors";
import { currentUser } from "../api/session";
import { ErrorNotice, Notice } from "../components/states";
import { Title } from "../components/Title";

/** The page of a mailed link that proves an address. It asks for a click, because mail scanners open links. */
export function Verify() {
  const token = useLocation().hash.slice(1);
  const verify = useVerifyEmail();
  const { data: user } = useQuery(currentUser);
  return (
    <div className="slim">
      <Title text="Confirm your address" />
      <h1>Confirm your address</h1>
      {verify.isSuccess && (
        <Notice tone="good" title="Your address is confirmed.">
          <Link className="button primary" to={user ? "/" : "/signin"}>
            {user ? "See what is on sale" : "Sign in"}
          </Link>
        </Notice>
      )}
      {verify.isError && <VerifyError error={verify.error} isSignedIn={Boolean(user)} />}
      {token === "" && !verify.isSuccess && <Incomplete />}
      {token !== "" && !verify.isSuccess && !isFinal(verify.error) && (
        <>
          <p className="lead">One click, and this address belongs to your account.</p>
          <button
            type="button"
            className="primary"
            onClick={() => verify.mutate(token)}
            disabled={verify.isPending}
          >
            {verify.isPending ? "One moment" : "Confirm this address"}
          </button>
        </>
      )}
    </div>
  );
}

function isFinal(error: unknown): boolean {
  const code = codeOf(error);
  return code === "link_expired" || code === "email_in_use";
}

function Incomplete() {
  return (
    <Notice tone="error" title="This link is not complete.">
      <p>Open it from the mail again, or copy all of it.</p>
    </Notice>
  );
}

function VerifyError({ error, isSignedIn }: { error: unknown; isSignedIn: boolean }) {
  switch (codeOf(error)) {
    case "link_expired":
      return (
        <Notice tone="error" title="This link does not work any more.">
          <p>
            It was used, or has expired. If your address is not confirmed yet,{" "}
            {isSignedIn ? "ask for another link on " : "sign in and ask for another link on "}
            <Link to="/account">your account page</Link>.
          </p>
        </Notice>
      );
    case "email_in_use":
      return (
        <Notice tone="error" title="Another account has this address.">
          <p>
            If it is yours, sign in to it, or <Link to="/forgot">set a new password</Link>.
          </p>
        </Notice>
      );
    default:
      return <ErrorNotice error={error} />;
  }
}
