import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { codeOf } from "../api/errors";
import type { PayoutAccount } from "../api/types";
import { ErrorNotice, Failed, Loading, Notice, NoticeBox, OutOfDate } from "../components/states";
import { useUser } from "../components/user";
import { payoutAccount, useConnect } from "./queries";

/** How often the account is read again after the user has come back from Stripe, which may still be checking. */
const POLL_MILLIS = 5000;

/** The seller's account at Stripe: its status, and the way to Stripe's pages. */
export function Account() {
  const cameBack = useOnboardingOutcome();
  const query = useQuery({
    ...payoutAccount(useUser().id),
    refetchInterval: ({ state }) =>
      cameBack === "returned" && state.data?.status === "incomplete" ? POLL_MILLIS : false,
  });
  return (
    <section aria-labelledby="account">
      <h2 id="account">Your payout account</h2>
      {query.data ? <OutOfDate query={query} /> : query.isPending ? <Loading /> : <Failed query={query} />}
      {query.data && (
        <>
          {cameBack === "expired" && query.data.status !== "ready" && (
            <Notice tone="error" title="That link to Stripe does not work any more.">
              <p>It was used, or has expired. The button below opens another one.</p>
            </Notice>
          )}
          <div role="status">
            <AccountNotice account={query.data} />
          </div>
          {query.data.status !== "ready" && <Connect status={query.data.status} />}
        </>
      )}
    </section>
  );
}

/** How the user came back from Stripe, if they did: by the address, from which it is removed. It proves nothing. */
function useOnboardingOutcome(): string | null {
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const [outcome] = useState(() => new URLSearchParams(search).get("onboarding"));
  useEffect(() => {
    if (search !== "") void navigate(pathname, { replace: true });
  }, [navigate, pathname, search]);
  return outcome;
}

/** The status in words. It comes from the API, which asks Stripe. */
function AccountNotice({ account: { status, requirements } }: { account: PayoutAccount }) {
  switch (status) {
    case "none":
      return (
        <NoticeBox tone="plain" title="You have no payout account yet.">
          <p>
            You can sell without one: what you earn is kept for you. To receive it, enter your details and
            your bank account at Stripe, which pays sellers for us.
          </p>
        </NoticeBox>
      );
    case "incomplete":
      return (
        <NoticeBox tone="plain" title="Your payout account is not ready yet.">
          <p>What you earn is kept for you until it is.</p>
          <Requirements requirements={requirements} />
        </NoticeBox>
      );
    case "ready":
      return (
        <NoticeBox tone="good" title="You are set up to be paid.">
          <p>What you earn is sent to your account at Stripe once it is due, and from there to your bank.</p>
        </NoticeBox>
      );
    case "restricted":
      return (
        <NoticeBox tone="error" title="Stripe does not let us pay you at the moment.">
          <p>What you earn is kept for you.</p>
          <Requirements requirements={requirements} />
        </NoticeBox>
      );
  }
}

function Requirements({ requirements }: { requirements: string[] }) {
  if (requirements.length === 0) return null;
  return (
    <ul className="requirements">
      {requirements.map((each) => (
        <li key={each}>{each}</li>
      ))}
    </ul>
  );
}

const ACTIONS: Record<Exclude<PayoutAccount["status"], "ready">, string> = {
  none: "Set up payouts at Stripe",
  incomplete: "Continue at Stripe",
  restricted: "Go to Stripe",
};

function Connect({ status }: { status: keyof typeof ACTIONS }) {
  const connect = useConnect();
  const { reset } = connect;
  useEffect(() => {
    // Back from Stripe's pages, the browser may restore this one as it was left: with the button waiting.
    const onShow = ({ persisted }: PageTransitionEvent) => persisted && reset();
    window.addEventListener("pageshow", onShow);
    return () => window.removeEventListener("pageshow", onShow);
  }, [reset]);
  const isLeaving = connect.isPending || connect.isSuccess;
  return (
    <div className="actions">
      {connect.isError && <ConnectError error={connect.error} />}
      <button
        type="button"
        className="primary"
        onClick={() => connect.mutate(undefined, { onSuccess: ({ url }) => window.location.assign(url) })}
        disabled={isLeaving}
      >
        {isLeaving ? "Opening Stripe" : ACTIONS[status]}
      </button>
    </div>
  );
}

function ConnectError({ error }: { error: unknown }) {
  switch (codeOf(error)) {
    case "payments_not_configured":
      return (
        <Notice tone="error" title="Payouts are not set up yet.">
          <p>What you earn is kept for you until they are.</p>
        </Notice>
      );
    case "account_rejected":
      return (
        <Notice tone="error" title="Stripe has rejected your account.">
          <p>It cannot be connected again. Please write to the operator of this site.</p>
        </Notice>
      );
    default:
      return <ErrorNotice error={error} />;
  }
}
