/** The server's clock, estimated from the `Date` headers of responses. Times are milliseconds. */

/** The range of the difference between the server's clock and this device's clock. */
export interface ClockOffset {
  min: number;
  max: number;
}

/** When a request was sent and its response received, by this device's clock, and the response's `Date`. */
export interface Exchange {
  sentAt: number;
  receivedAt: number;
  date: number;
}

/**
 * The offset after one more response. `Date` is truncated to the second and set at some time between sending and
 * receiving, so each response gives a range, and the ranges of several responses are intersected. An empty
 * intersection means that a clock was set; then only the new range counts.
 */
export function refineOffset(known: ClockOffset | null, { sentAt, receivedAt, date }: Exchange): ClockOffset {
  const measured = { min: date - receivedAt, max: date + 1000 - sentAt };
  if (known === null) return measured;
  const both = { min: Math.max(known.min, measured.min), max: Math.min(known.max, measured.max) };
  return both.min <= both.max ? both : measured;
}

/** Whole seconds left, rounded up. 0 means that the deadline has passed. */
export function secondsLeft(deadline: number, now: number): number {
  return Math.max(0, Math.ceil((deadline - now) / 1000));
}

/** `4:07` */
export function formatCountdown(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const ANNOUNCED_AT = [60, 30, 10, 0];

/**
 * The text for screen readers when a countdown goes from `before` to `now` seconds, or null. Only four moments are
 * announced, because an announcement every second would be no help. The text states the seconds that are left, even
 * if the browser was asleep at the moment itself.
 */
export function announcement(before: number, now: number): string | null {
  if (!ANNOUNCED_AT.some((at) => now <= at && at < before)) return null;
  if (now === 0) return "Time is up.";
  if (now === 60) return "One minute left.";
  return now === 1 ? "1 second left." : `${now} seconds left.`;
}
