import { useEffect, useRef, useState } from "react";
import { serverNow } from "../api/client";
import { asCountdown, secondsLeft, spoken } from "../rules/clock";

/** Whether a moment has passed, by the server's clock. */
export function useHasPassed(moment: string): boolean {
  const deadline = Date.parse(moment);
  const [passedDeadline, setPassed] = useState<number | null>(null);
  const hasPassed = passedDeadline === deadline || serverNow() >= deadline;
  useEffect(() => {
    if (hasPassed) return;
    // In small steps: the device's clock may be set, and what is known of the server's gets better.
    const timer = setInterval(() => {
      if (serverNow() >= deadline) setPassed(deadline);
    }, 250);
    return () => clearInterval(timer);
  }, [deadline, hasPassed]);
  return hasPassed;
}

/** For how long what was said stays in the page, in seconds: after that it would be untrue. */
const SAID_FOR = 2;

/** What a screen reader is to hear of the seconds that are left. */
function useSpoken(seconds: number): string {
  const last = useRef(seconds);
  const [said, setSaid] = useState({ text: "", at: seconds });
  useEffect(() => {
    const text = spoken(last.current, seconds);
    last.current = seconds;
    if (text !== null) setSaid({ text, at: seconds });
  }, [seconds]);
  return seconds > said.at - SAID_FOR ? said.text : "";
}

/** The time that is left, with a bar that runs out. `from` is when it began. */
export function Countdown({ from, until }: { from: string; until: string }) {
  const [start, end] = [Date.parse(from), Date.parse(until)];
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), 250);
    return () => clearInterval(timer);
  }, []);
  const seconds = secondsLeft(end, now);
  const said = useSpoken(seconds);
  const share = Math.min(1, Math.max(0, (end - now) / Math.max(1, end - start)));
  return (
    <div className={seconds <= 30 ? "countdown short" : "countdown"}>
      <p>
        <span>Held for you for</span>{" "}
        <time role="timer" dateTime={`PT${seconds}S`}>
          {asCountdown(seconds)}
        </time>
      </p>
      <div className="countdown-bar" aria-hidden="true">
        <div style={{ transform: `scaleX(${share})` }} />
      </div>
      <p className="unseen" role="status">
        {said}
      </p>
    </div>
  );
}
