import { Link, useLocation, useNavigate } from "react-router";
import { useResetPassword } from "../api/account";
import { codeOf, newPasswordError } from "../api/errors";
import { NewPasswordField } from "../components/accountFields";
import { Form } from "../components/Form";
import { ErrorNotice, Notice } from "../components/states";
import { Title } from "../components/Title";
import { passwordError } from "../rules/password";

/** The page of a mailed link to a new password. The token is in the fragment, which no server or referrer gets. */
export function Reset() {
  const token = useLocation().hash.slice(1);
  const navigate = useNavigate();
  const reset = useResetPassword();
  const send = (password: string) =>
    reset.mutate({ token, password }, { onSuccess: () => void navigate("/", { replace: true }) });
  return (
    <div className="slim">
      <Title text="Set a new password" />
      <h1>Set a new password</h1>
      {token === "" || codeOf(reset.error) === "link_expired" ? (
        <LinkExpired />
      ) : (
        <>
          <p className="lead">You will be signed in here, and signed out everywhere else.</p>
          <Form
            action="Save and sign in"
            isPending={reset.isPending}
            validate={({ password = "" }) => ({ password: passwordError(password, "signup") })}
            onSend={({ password = "" }) => send(password)}
            notice={reset.isError && <ResetError error={reset.error} />}
          >
            {(errors) => (
              <NewPasswordField
                label="New password"
                error={errors.password ?? newPasswordError(reset.error, "password")}
              />
            )}
          </Form>
        </>
      )}
    </div>
  );
}

function LinkExpired() {
  return (
    <Notice tone="error" title="This link does not work any more.">
      <p>It was used, has expired or is not complete.</p>
      <Link className="button" to="/forgot">
        Get a new link
      </Link>
    </Notice>
  );
}

function ResetError({ error }: { error: unknown }) {
  if (newPasswordError(error, "password"))
    return <Notice tone="error" title="Please choose another password." />;
  return <ErrorNotice error={error} />;
}
