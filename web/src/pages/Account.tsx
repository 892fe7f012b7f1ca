import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import {
  sessions as sessionsOf,
  useChangeEmail,
  useChangePassword,
  useDeleteAccount,
  useEndAllSessions,
  useEndSession,
  useExport,
} from "../api/account";
import { codeOf, explain, fieldError, newPasswordError } from "../api/errors";
import type { Session } from "../api/types";
import { EmailField, HiddenEmail, KnownPasswordField, NewPasswordField } from "../components/accountFields";
import { Form } from "../components/Form";
import { ErrorNotice, Failed, Loading, Notice, OutOfDate } from "../components/states";
import { Title } from "../components/Title";
import { useUser } from "../components/user";
import { MailLinkAgain } from "../components/VerifyBanner";
import { formatDateTime } from "../rules/date";
import { emailError } from "../rules/email";
import { jsonFile, saveFile } from "../rules/file";
import { passwordError } from "../rules/password";

export function Account() {
  return (
    <div className="narrow account-page">
      <Title text="Your account" />
      <h1>Your account</h1>
      <Address />
      <Password />
      <Sessions />
      <PersonalData />
      <Deletion />
    </div>
  );
}

function Address() {
  const { email, emailVerified, verification } = useUser();
  const change = useChangeEmail();
  return (
    <section aria-labelledby="address">
      <h2 id="address">E-mail address</h2>
      <p dir="auto">{email}</p>
      {verification !== "unavailable" && (
        <p className="hint">{emailVerified ? "Confirmed." : "Not confirmed yet."}</p>
      )}
      {/* Where it is required, the banner above the page has this button. */}
      {verification === "optional" && !emailVerified && <MailLinkAgain />}
      {verification === "unavailable" && (
        <p className="hint">This site sends no mails, so the address cannot be confirmed or changed.</p>
      )}
      {change.isSuccess && (
        <Notice tone="good" title="Look into the new mailbox.">
          <p>
            The address changes once you open the link that we mailed to {change.variables.email}. Until then
            you sign in with the current one.
          </p>
        </Notice>
      )}
      {verification !== "unavailable" && !change.isSuccess && (
        <details>
          <summary>Change the address</summary>
          <Form
            action="Change the address"
            isPending={change.isPending}
            validate={({ email = "", password = "" }) => ({
              email: emailError(email),
              password: passwordError(password, "signin"),
            })}
            onSend={({ email = "", password = "" }) => change.mutate({ email: email.trim(), password })}
            notice={change.isError && <AccountError error={change.error} />}
          >
            {(errors) => (
              <>
                <EmailField
                  label="New e-mail address"
                  error={errors.email ?? fieldError(change.error, "email")}
                />
                <KnownPasswordField
                  label="Your password"
                  error={errors.password ?? wrongPassword(change.error, "password")}
                />
              </>
            )}
          </Form>
        </details>
      )}
    </section>
  );
}

function Password() {
  const { email } = useUser();
  const change = useChangePassword();
  return (
    <section aria-labelledby="password">
      <h2 id="password">Password</h2>
      {change.isSuccess && (
        <Notice tone="good" title="Your password is changed.">
          <p>All other sessions have ended.</p>
        </Notice>
      )}
      <details>
        <summary>Change the password</summary>
        <Form
          action="Change the password"
          isPending={change.isPending}
          validate={({ current = "", new: chosen = "" }) => ({
            current: passwordError(current, "signin"),
            new: passwordError(chosen, "signup"),
          })}
          onSend={({ current = "", new: chosen = "" }, form) =>
            change.mutate({ current, new: chosen }, { onSuccess: () => form.reset() })
          }
          notice={change.isError && <AccountError error={change.error} />}
        >
          {(errors) => (
            <>
              <HiddenEmail email={email} />
              <KnownPasswordField
                label="Current password"
                name="current"
                error={errors.current ?? wrongPassword(change.error, "current")}
              />
              <NewPasswordField
                label="New password"
                name="new"
                error={errors.new ?? newPasswordError(change.error, "new")}
              />
            </>
          )}
        </Form>
      </details>
    </section>
  );
}

function Sessions() {
  const user = useUser();
  const query = useQuery(sessionsOf(user.id));
  const endAll = useEndAllSessions();
  const [isConfirming, setConfirming] = useState(false);
  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions">Where you are signed in</h2>
      {query.data ? <OutOfDate query={query} /> : query.isPending ? <Loading /> : <Failed query={query} />}
      <ul className="sessions">
        {query.data?.map((session) => (
          <SessionRow key={session.id} session={session} />
        ))}
      </ul>
      {endAll.isError && <AccountError error={endAll.error} />}
      {isConfirming ? (
        <Notice tone="plain" title="Sign out everywhere, here too?">
          <button
            type="button"
            className="danger"
            onClick={() => endAll.mutate()}
            disabled={endAll.isPending}
          >
            {endAll.isPending ? "Signing out" : "Sign out everywhere"}
          </button>
          <button type="button" onClick={() => setConfirming(false)} disabled={endAll.isPending}>
            Stay signed in
          </button>
        </Notice>
      ) : (
        <button type="button" onClick={() => setConfirming(true)}>
          Sign out everywhere
        </button>
      )}
    </section>
  );
}

function SessionRow({ session }: { session: Session }) {
  const end = useEndSession();
  return (
    <li>
      <div>
        <strong dir="auto">{session.client}</strong>
        {session.current && " (this one)"}
        <p className="hint">Since {formatDateTime(session.createdAt)}</p>
        {end.isError && <p className="field-error">{explain(end.error).title}. Please try again.</p>}
      </div>
      <button
        type="button"
        onClick={() => end.mutate(session)}
        disabled={end.isPending}
        aria-label={`Sign out ${session.client}, since ${formatDateTime(session.createdAt)}`}
      >
        {end.isPending ? "Signing out" : "Sign out"}
      </button>
    </li>
  );
}

function PersonalData() {
  const download = useExport();
  const save = () => {
    download.mutate(undefined, { onSuccess: (data) => saveFile("admit-one-data.json", jsonFile(data)) });
  };
  return (
    <section aria-labelledby="data">
      <h2 id="data">Your data</h2>
      <p className="hint">Everything that this site keeps about you, as a JSON file.</p>
      {download.isError && <ErrorNotice error={download.error} />}
      <button type="button" onClick={save} disabled={download.isPending}>
        {download.isPending ? "Collecting your data" : "Download your data"}
      </button>
    </section>
  );
}

function Deletion() {
  const { email } = useUser();
  const navigate = useNavigate();
  const remove = useDeleteAccount(() => navigate("/deleted", { flushSync: true }));
  const [password, setPassword] = useState<string | null>(null);
  return (
    <section aria-labelledby="deletion">
      <h2 id="deletion">Delete the account</h2>
      <details>
        <summary>Delete your account</summary>
        <Form
          action="Delete my account"
          isPending={remove.isPending}
          validate={({ password: typed = "" }) => ({ password: passwordError(typed, "signin") })}
          onSend={({ password: typed = "" }) => setPassword(typed)}
          notice={remove.isError && <DeletionError error={remove.error} />}
        >
          {(errors) => (
            <>
              <p>
                You are signed out everywhere, and your unsold tickets are taken off sale. Orders and payments
                stay in our books without your name. This cannot be undone.
              </p>
              <HiddenEmail email={email} />
              <KnownPasswordField
                label="Password of the account"
                error={errors.password ?? wrongPassword(remove.error, "password")}
              />
            </>
          )}
        </Form>
        {password !== null && (
          <Notice tone="plain" title="Delete your account for good?">
            <button
              type="button"
              className="danger"
              onClick={() => remove.mutate(password, { onSettled: () => setPassword(null) })}
              disabled={remove.isPending}
            >
              {remove.isPending ? "Deleting" : "Delete for good"}
            </button>
            <button type="button" onClick={() => setPassword(null)} disabled={remove.isPending}>
              Keep the account
            </button>
          </Notice>
        )}
      </details>
    </section>
  );
}

function DeletionError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "order_open":
      return (
        <Notice tone="error" title="You have an open order.">
          <p>
            Pay for it or cancel it in <Link to="/orders">your orders</Link>, or wait until it has expired.
          </p>
        </Notice>
      );
    case "ticket_held":
      return (
        <Notice tone="error" title="A buyer holds one of your tickets.">
          <p>
            Try again once it is sold or free: see <Link to="/selling">your tickets</Link>.
          </p>
        </Notice>
      );
    default:
      return <AccountError error={error} />;
  }
}

function wrongPassword(error: unknown, field: string): string | undefined {
  return codeOf(error) === "wrong_password" ? "This is not your password." : fieldError(error, field);
}

function AccountError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "wrong_password":
    case "password_refused":
    case "invalid_request":
      return <Notice tone="error" title="Please correct the marked fields." />;
    default:
      return <ErrorNotice error={error} />;
  }
}
