import { useEffect, useRef, useState } from "react";
import { serverNow, skipCache } from "../api/client";
import { announcement, formatCountdown, secondsLeft } from "../rules/clock";

/** Whether a time has passed, by the server's clock. */
export function useHasPassed(time: string): boolean {
  const deadline = Date.parse(time);
  const [passedDeadline, setPassed] = useState<number | null>(null);
  const hasPassed = passedDeadline === deadline || serverNow() >= deadline;
  useEffect(() => {
    if (hasPassed) return;
    // Polled, because the device's clock can be set and the estimate of the server's clock improves.
    const timer = setInterval(() => {
      if (serverNow() < deadline) return;
      skipCache(); // which may still have the ticket as held
      setPassed(deadline);
    }, 250);
    return () => clearInterval(timer);
  }, [deadline, hasPassed]);
  return hasPassed;
}

/** Seconds after which an announcement is removed from the page, because it is no longer true. */
const ANNOUNCEMENT_SECONDS = 2;

/** The current announcement for screen readers; empty between announcements. */
function useAnnouncement(seconds: number): string {
  const last = useRef(seconds);
  const [announced, setAnnounced] = useState({ text: "", at: seconds });
  useEffect(() => {
    const text = announcement(last.current, seconds);
    last.current = seconds;
    if (text !== null) setAnnounced({ text, at: seconds });
  }, [seconds]);
  return seconds > announced.at - ANNOUNCEMENT_SECONDS ? announced.text : "";
}

/** The time left until `until`, with a bar for its share of the time since `from`. */
export function Countdown({ from, until }: { from: string; until: string }) {
  const [start, end] = [Date.parse(from), Date.parse(until)];
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = secondsLeft(end, now);
  const announced = useAnnouncement(seconds);
  const share = Math.min(1, Math.max(0, (end - now) / Math.max(1, end - start)));
  return (
    <div className={seconds <= 30 ? "countdown short" : "countdown"}>
      <p>
        <span>Held for you for</span>{" "}
        <time role="timer" dateTime={`PT${seconds}S`}>
          {formatCountdown(seconds)}
        </time>
      </p>
      <div className="countdown-bar" aria-hidden="true">
        <div style={{ transform: `scaleX(${share})` }} />
      </div>
      <p className="visually-hidden" role="status">
        {announced}
      </p>
    </div>
  );
}
