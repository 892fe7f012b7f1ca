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

/** What a screen reader hears at this many seconds; a countdown that speaks every second helps nobody. */
export function spoken(seconds: number): string {
  if (seconds === 0) return "Time is up.";
  if (seconds <= 10) return "10 seconds left.";
  if (seconds <= 30) return "30 seconds left.";
  if (seconds <= 60) return "One minute left.";
  return "";
}
