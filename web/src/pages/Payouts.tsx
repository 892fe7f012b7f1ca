import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { serverNow } from "../api/client";
import type { Earning, EarningList, PayoutAccount } from "../api/types";
import { LoadMore } from "../components/LoadMore";
import { Failed, Loading, OutOfDate } from "../components/states";
import { Title } from "../components/Title";
import { useList } from "../components/useList";
import { useUser } from "../components/user";
import { Account } from "../payouts/Account";
import { Download } from "../payouts/Download";
import { EarningsChart } from "../payouts/EarningsChart";
import { ownEarnings, payoutAccount, recentEarnings } from "../payouts/queries";
import { formatDate } from "../rules/date";
import {
  chartStart,
  describeEarning,
  EARNING_LABELS,
  earningsByDay,
  isLost,
  STATUSES,
  soldAt,
} from "../rules/earnings";
import { formatPrice } from "../rules/price";
import "./payouts.css";

export function Payouts() {
  return (
    <div className="payouts-page">
      <Title text="Get paid" />
      <h1>Get paid</h1>
      <Account />
      <section aria-labelledby="earnings">
        <h2 id="earnings">Your earnings</h2>
        <Earnings />
      </section>
    </div>
  );
}

function Earnings() {
  const { id } = useUser();
  const options = ownEarnings(id);
  const query = useInfiniteQuery(options);
  const account = useQuery(payoutAccount(id)).data?.status;
  const { entries, isEmpty } = useList(query, options.queryKey, entriesOf);
  if (query.isPending) return <Loading />;
  const totals = query.data?.pages[0]?.totals;
  if (totals === undefined) return <Failed query={query} />;
  if (isEmpty) {
    return (
      <>
        <OutOfDate query={query} />
        <p>
          You have not sold anything yet. <Link to="/sell">Sell a ticket</Link>.
        </p>
      </>
    );
  }
  return (
    <>
      <OutOfDate query={query} />
      <TotalsByStatus totals={totals} />
      <LastDays currency={totals.currency} />
      <Download />
      <ul className="earnings">
        {entries.map((earning) => (
          <li key={earning.id}>
            <Row earning={earning} account={account} />
          </li>
        ))}
      </ul>
      <LoadMore query={query} />
    </>
  );
}

const entriesOf = ({ payouts }: EarningList) => payouts.map((each) => ({ ...each, id: each.orderID }));

/** What the seller has earned, by status. Statuses without an amount are left out. */
function TotalsByStatus({ totals }: { totals: EarningList["totals"] }) {
  return (
    <dl className="totals">
      {STATUSES.filter((status) => /[1-9]/.test(totals[status])).map((status) => (
        <div key={status}>
          <dt>{EARNING_LABELS[status]}</dt>
          <dd>{formatPrice(totals[status], totals.currency)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The chart, with calls of its own: the list below has only the latest earnings. */
function LastDays({ currency }: { currency: string }) {
  const [now] = useState(serverNow);
  const query = useQuery(recentEarnings(useUser().id, chartStart(now)));
  if (query.isPending) return <Loading />;
  if (query.data === undefined) return <Failed query={query} />;
  const { earnings, isComplete } = query.data;
  return (
    <EarningsChart
      days={earningsByDay(earnings, now)}
      currency={currency}
      latest={isComplete ? null : earnings.length}
    />
  );
}

function Row({ earning, account }: { earning: Earning; account: PayoutAccount["status"] | undefined }) {
  const { ticket, gross, fee, net, currency, status } = earning;
  return (
    <article className={isLost(earning) ? "earning lost" : "earning"}>
      <div>
        <h3 dir="auto">
          <Link to={`/tickets/${ticket.id}`}>{ticket.title}</Link>
        </h3>
        <p>
          <strong>{EARNING_LABELS[status]}.</strong> {describeEarning(earning, account)}
        </p>
        <p className="hint">
          Ordered {formatDate(new Date(soldAt(earning)).toISOString())} for {formatPrice(gross, currency)},
          less a fee of {formatPrice(fee, currency)}
        </p>
      </div>
      <p className="earning-net">{formatPrice(net, currency)}</p>
    </article>
  );
}
