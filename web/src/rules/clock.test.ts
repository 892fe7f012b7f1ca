import { describe, expect, test } from "vitest";
import { asCountdown, narrow, secondsLeft, spoken } from "./clock";

const at = (sentAt: number, receivedAt: number, date: number) => ({ sentAt, receivedAt, date });

describe("the server's clock", () => {
  test("one answer tells it to the second and the request's course", () => {
    expect(narrow(null, at(1000, 1200, 5000))).toEqual({ least: 3800, most: 5000 });
  });

  test("each further answer narrows it, to a fraction of a second", () => {
    // The server is 3,900 ms ahead; each answer comes at once, its Date cut to the second.
    const told = [1000, 1250, 1480, 1890, 2050, 2097].map((now) =>
      at(now, now, Math.floor((now + 3900) / 1000) * 1000),
    );
    const lead = told.reduce<ReturnType<typeof narrow> | null>(narrow, null);
    expect(lead?.least).toBeLessThanOrEqual(3900);
    expect(lead?.most).toBeGreaterThanOrEqual(3900);
    expect((lead?.most ?? 0) - (lead?.least ?? 0)).toBeLessThan(300);
  });

  test("a device whose clock is set anew starts over", () => {
    const before = narrow(null, at(1000, 1000, 5000));
    expect(narrow(before, at(61_000, 61_000, 6000))).toEqual({ least: -55_000, most: -54_000 });
  });
});

test("the last second counts until it is over", () => {
  expect(secondsLeft(10_000, 9_999)).toBe(1);
  expect(secondsLeft(10_000, 10_000)).toBe(0);
  expect(secondsLeft(10_000, 12_000)).toBe(0);
});

test("minutes and seconds, as on a clock", () => {
  expect([300, 247, 60, 9, 0].map(asCountdown)).toEqual(["5:00", "4:07", "1:00", "0:09", "0:00"]);
});

describe("what a screen reader hears", () => {
  /** What is said while the seconds go by, and at how many. */
  const saidAt = (...seconds: number[]) =>
    seconds.flatMap((now, index) => {
      const said = index === 0 ? null : spoken(seconds[index - 1] ?? now, now);
      return said === null ? [] : [[now, said]];
    });

  test("four times how much is left", () => {
    expect(saidAt(...Array.from({ length: 301 }, (_, passed) => 300 - passed))).toEqual([
      [60, "One minute left."],
      [30, "30 seconds left."],
      [10, "10 seconds left."],
      [0, "Time is up."],
    ]);
  });

  test("nothing when a countdown begins, however short", () => {
    expect(saidAt(19, 18)).toEqual([]);
    expect(saidAt(20, 19, 11, 10)).toEqual([[10, "10 seconds left."]]);
  });

  test("what is left, not what was missed, after a browser has slept", () => {
    expect(saidAt(45, 19)).toEqual([[19, "19 seconds left."]]);
    expect(saidAt(200, 8)).toEqual([[8, "8 seconds left."]]);
  });

  test("nothing twice where the clock is corrected by a second", () => {
    expect(saidAt(31, 30, 30, 29)).toEqual([[30, "30 seconds left."]]);
  });
});
