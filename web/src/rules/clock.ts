/** The server's clock, as far as the `Date` of its answers tells it. Times are milliseconds. */

/** Between which bounds the server's clock is ahead of this device's. */
export interface Lead {
  least: number;
  most: number;
}

/** A request's course by this device's clock, and the answer's `Date`. */
export interface Exchange {
  sentAt: number;
  receivedAt: number;
  date: number;
}

/**
 * What is known of the lead after one more answer. `Date` is cut to the second and told somewhere between sending and
 * receiving, so each answer gives bounds, and many answers narrow them. Bounds that contradict what was known mean that
 * somebody has set a clock: then only the new ones count.
 */
export function narrow(known: Lead | null, { sentAt, receivedAt, date }: Exchange): Lead {
  const told = { least: date - receivedAt, most: date + 1000 - sentAt };
  if (known === null) return told;
  const both = { least: Math.max(known.least, told.least), most: Math.min(known.most, told.most) };
  return both.least <= both.most ? both : told;
}

/** Whole seconds that are left, rounded up: 0 means that the deadline has passed. */
export function secondsLeft(deadline: number, now: number): number {
  return Math.max(0, Math.ceil((deadline - now) / 1000));
}

/** `4:07` */
export function asCountdown(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const SPOKEN_AT = [60, 30, 10, 0];

/**
 * What a screen reader hears when a countdown goes on from one number of seconds to another: something at four of them
 * only, since one that speaks every second helps nobody. It names the seconds that are left, also where a browser that
 * slept has missed the moment.
 */
export function spoken(before: number, now: number): string | null {
  if (!SPOKEN_AT.some((at) => now <= at && at < before)) return null;
  if (now === 0) return "Time is up.";
  if (now === 60) return "One minute left.";
  return now === 1 ? "1 second left." : `${now} seconds left.`;
}
