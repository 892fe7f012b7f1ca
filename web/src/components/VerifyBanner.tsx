import { useQuery } from "@tanstack/react-query";
import { useRequestVerification } from "../api/account";
import { explain } from "../api/errors";
import { currentUser } from "../api/session";
import { NoticeBox } from "./states";

/** Tells a user without a proved address what it is needed for, where it is needed. */
export function VerifyBanner() {
  const { data: user } = useQuery(currentUser);
  if (!user || user.emailVerified || user.verification !== "required") return null;
  return (
    <aside className="banner" aria-label="Confirm your e-mail address">
      <NoticeBox tone="plain" title="Confirm your e-mail address to buy and sell.">
        <p>
          We mailed a link to <span dir="auto">{user.email}</span>.
        </p>
        <MailLinkAgain />
      </NoticeBox>
    </aside>
  );
}

/** A button that mails the link again, and what came of it. */
export function MailLinkAgain() {
  const request = useRequestVerification();
  return (
    <>
      <button type="button" onClick={() => request.mutate()} disabled={request.isPending}>
        {request.isPending ? "One moment" : "Mail the link again"}
      </button>
      <p role="status">
        {request.isSuccess && "A new link is on its way. The one before works as well."}
        {request.isError && `${explain(request.error).title}. ${explain(request.error).advice}`}
      </p>
    </>
  );
}
