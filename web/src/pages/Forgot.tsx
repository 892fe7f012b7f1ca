import { Link } from "react-router";
import { useForgotPassword } from "../api/account";
import { codeOf, fieldError } from "../api/errors";
import { EmailField } from "../components/accountFields";
import { Form } from "../components/Form";
import { ErrorNotice, Notice } from "../components/states";
import { Title } from "../components/Title";
import { emailError } from "../rules/email";

/** Asks for a mail with a link to a new password. */
export function Forgot() {
  const forgot = useForgotPassword();
  return (
    <div className="slim">
      <Title text="Forgot your password?" />
      <h1>Forgot your password?</h1>
      {forgot.isSuccess ? (
        <Notice tone="good" title="Look into your mailbox.">
          <p>
            If {forgot.variables} has an account, a mail with a link is on its way. The link works once, for
            30 minutes.
          </p>
          <p>No mail? Look into the spam folder, and check the address.</p>
          <button type="button" onClick={() => forgot.reset()}>
            Try again
          </button>
        </Notice>
      ) : (
        <>
          <p className="lead">Enter your address. We mail you a link to choose a new password.</p>
          <Form
            action="Mail me a link"
            isPending={forgot.isPending}
            validate={({ email = "" }) => ({ email: emailError(email) })}
            onSend={({ email = "" }) => forgot.mutate(email.trim())}
            notice={forgot.isError && <ForgotError error={forgot.error} />}
          >
            {(errors) => <EmailField error={errors.email ?? fieldError(forgot.error, "email")} />}
          </Form>
        </>
      )}
      <p>
        <Link to="/signin">Back to sign in</Link>
      </p>
    </div>
  );
}

function ForgotError({ error }: { error: unknown }) {
  if (codeOf(error) === "mail_unavailable")
    return (
      <Notice tone="error" title="This site sends no mails.">
        <p>Ask its operator for help with your account.</p>
      </Notice>
    );
  return <ErrorNotice error={error} />;
}
