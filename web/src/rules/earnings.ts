/** What a seller earns: the words for each status, and the sums by day of the chart. */

import type { Earning, PayoutAccount } from "../api/types";
import { formatDate } from "./date";
import { sumOf } from "./money";
import { timeOfId } from "./ulid";

type Status = Earning["status"];

/** The statuses in the order in which totals are shown. */
export const STATUSES: Status[] = ["due", "held", "blocked", "paid", "reversed", "cancelled"];

/** A short label of a status, for lists and totals. */
export const EARNING_LABELS: Record<Status, string> = {
  held: "Held",
  due: "Due",
  blocked: "On hold",
  paid: "Paid out",
  reversed: "Taken back",
  cancelled: "Refunded",
};

/** What happens with the money of a sale, as a sentence. Every statement rests on a response of the API. */
export function describeEarning(
  { status, availableAt, paidAt }: Earning,
  account: PayoutAccount["status"] | undefined,
  language?: string,
): string {
  switch (status) {
    case "held":
      return `You can be paid from ${formatDate(availableAt, language)} on.`;
    case "due":
      return account === "ready" || account === undefined
        ? "It is sent to you shortly."
        : "It waits until your payout account is ready.";
    case "blocked":
      return "It waits until a dispute or a refund of the payment is decided.";
    case "paid":
      return paidAt === undefined
        ? "It was sent to you."
        : `It was sent to you on ${formatDate(paidAt, language)}.`;
    case "reversed":
      return "It was sent to you, and taken back because the buyer got the money back.";
    case "cancelled":
      return "The buyer got the money back, so nothing is sent to you.";
  }
}

/** Whether the seller gets nothing of a sale. */
export function isLost({ status }: Earning): boolean {
  return status === "reversed" || status === "cancelled";
}

/** The days that the chart shows. */
export const CHART_DAYS = 30;

/** What was earned on one day. */
export interface DayOfEarnings {
  /** The start of the day, in the device's time zone. */
  day: Date;
  net: string;
  sales: number;
}

/** When the ticket was ordered, in milliseconds. */
export function soldAt({ orderID }: Earning): number {
  return timeOfId(orderID);
}

/** The time from which on sales are in the chart, in milliseconds: the start of the first of its days. */
export function chartStart(now: number): number {
  return startOfDay(now, CHART_DAYS - 1);
}

/**
 * The net amounts of sales by day of the sale, for the last days up to today in the device's time zone. Sales that were
 * refunded are not counted.
 */
export function earningsByDay(earnings: Earning[], now: number): DayOfEarnings[] {
  const amounts = new Map<number, string[]>();
  for (const earning of earnings) {
    if (isLost(earning)) continue;
    const day = startOfDay(soldAt(earning), 0);
    amounts.set(day, [...(amounts.get(day) ?? []), earning.net]);
  }
  return Array.from({ length: CHART_DAYS }, (_, n) => {
    const day = startOfDay(now, CHART_DAYS - 1 - n);
    const nets = amounts.get(day) ?? [];
    return { day: new Date(day), net: sumOf(nets), sales: nets.length };
  });
}

/** The start of the day that was `daysBefore` days before the one of a time. */
function startOfDay(time: number, daysBefore: number): number {
  const date = new Date(time);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() - daysBefore).getTime();
}

/** The error messages for the first and last day of an export. A date field without a complete date is empty. */
export function daysError({
  from,
  to,
}: {
  from: string;
  to: string;
}): Record<"from" | "to", string | undefined> {
  const isReversed = from !== "" && to !== "" && to < from;
  return {
    from: from === "" ? "Choose the first day." : undefined,
    to: to === "" ? "Choose the last day." : isReversed ? "The last day is before the first." : undefined,
  };
}
