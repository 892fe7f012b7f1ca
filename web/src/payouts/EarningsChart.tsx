import { CHART_DAYS, type DayOfEarnings } from "../rules/earnings";
import { sumOf } from "../rules/money";
import { formatPrice } from "../rules/price";

/** Height and width of the drawing, in its own units. The style sheet stretches it to the width of the page. */
const [HEIGHT, BAR, GAP] = [100, 7, 3];

/** A bar for each day. The same numbers are in a table, for screen readers and for everybody who wants them. */
export function EarningsChart({
  days,
  currency,
  latest,
}: {
  days: DayOfEarnings[];
  currency: string;
  /** The number of the latest sales that were counted; null if all of these days were. */
  latest: number | null;
}) {
  const highest = Math.max(...days.map(({ net }) => Number(net)));
  const withSales = days.filter(({ sales }) => sales > 0).reverse();
  const sum = formatPrice(sumOf(days.map(({ net }) => net)), currency);
  const best = days.find(({ net }) => Number(net) === highest);
  return (
    <figure className="chart">
      <figcaption>
        <strong>{sum}</strong> earned{" "}
        {latest !== null && `with your latest ${latest.toLocaleString()} sales `}
        in the last {CHART_DAYS} days, after the fee. Refunded sales are not counted.
      </figcaption>
      {best && highest > 0 && (
        <>
          <p className="chart-scale" aria-hidden="true">
            {formatPrice(best.net, currency)}
          </p>
          <svg
            role="img"
            aria-label={`Earnings by day. The most was ${formatPrice(best.net, currency)} on ${formatDay(best.day)}.`}
            viewBox={`0 0 ${days.length * (BAR + GAP) - GAP} ${HEIGHT}`}
            preserveAspectRatio="none"
          >
            {days.map(({ day, net, sales }, n) => {
              // A day with sales has a visible bar, however little they are.
              const height = sales > 0 ? Math.max(2, (Number(net) / highest) * HEIGHT) : 0;
              return (
                <rect key={day.getTime()} x={n * (BAR + GAP)} y={HEIGHT - height} width={BAR} height={height}>
                  <title>{`${formatDay(day)}: ${formatPrice(net, currency)}`}</title>
                </rect>
              );
            })}
          </svg>
          <p className="chart-days" aria-hidden="true">
            {[days[0], days.at(-1)].map(
              (end) => end && <span key={end.day.getTime()}>{formatDay(end.day)}</span>,
            )}
          </p>
          <details>
            <summary>Show the days as a table</summary>
            <table>
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  <th scope="col">Sales</th>
                  <th scope="col">You earned</th>
                </tr>
              </thead>
              <tbody>
                {withSales.map(({ day, net, sales }) => (
                  <tr key={day.getTime()}>
                    <th scope="row">{formatDay(day)}</th>
                    <td>{sales}</td>
                    <td>{formatPrice(net, currency)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </>
      )}
    </figure>
  );
}

function formatDay(day: Date): string {
  return new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" }).format(day);
}
