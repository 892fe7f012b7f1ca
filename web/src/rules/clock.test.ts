import { describe, expect, test } from "vitest";
import { announcement, formatCountdown, refineOffset, secondsLeft } from "./clock";

const at = (sentAt: number, receivedAt: number, date: number) => ({ sentAt, receivedAt, date });

describe("the server's clock", () => {
  test("one response gives a range of a second plus the round trip", () => {
    expect(refineOffset(null, at(1000, 1200, 5000))).toEqual({ min: 3800, max: 5000 });
  });

  test("further responses narrow the range", () => {
    // The server is 3,900 ms ahead. Each response arrives at once, with its Date truncated to the second.
    const exchanges = [1000, 1250, 1480, 1890, 2050, 2097].map((now) =>
      at(now, now, Math.floor((now + 3900) / 1000) * 1000),
    );
    const offset = exchanges.reduce<ReturnType<typeof refineOffset> | null>(refineOffset, null);
    expect(offset?.min).toBeLessThanOrEqual(3900);
    expect(offset?.max).toBeGreaterThanOrEqual(3900);
    expect((offset?.max ?? 0) - (offset?.min ?? 0)).toBeLessThan(300);
  });

  test("setting a clock discards the old range", () => {
    const before = refineOffset(null, at(1000, 1000, 5000));
    expect(refineOffset(before, at(61_000, 61_000, 6000))).toEqual({ min: -55_000, max: -54_000 });
  });
});

test("seconds are rounded up", () => {
  expect(secondsLeft(10_000, 9_999)).toBe(1);
  expect(secondsLeft(10_000, 10_000)).toBe(0);
  expect(secondsLeft(10_000, 12_000)).toBe(0);
});

test("the countdown has minutes and seconds", () => {
  expect([300, 247, 60, 9, 0].map(formatCountdown)).toEqual(["5:00", "4:07", "1:00", "0:09", "0:00"]);
});

describe("announcements for screen readers", () => {
  /** The announcements of a countdown through these seconds, each with its second. */
  const announcedAt = (...seconds: number[]) =>
    seconds.flatMap((now, index) => {
      const text = index === 0 ? null : announcement(seconds[index - 1] ?? now, now);
      return text === null ? [] : [[now, text]];
    });

  test("at four moments", () => {
    expect(announcedAt(...Array.from({ length: 301 }, (_, passed) => 300 - passed))).toEqual([
      [60, "One minute left."],
      [30, "30 seconds left."],
      [10, "10 seconds left."],
      [0, "Time is up."],
    ]);
  });

  test("none at the start of a countdown", () => {
    expect(announcedAt(19, 18)).toEqual([]);
    expect(announcedAt(20, 19, 11, 10)).toEqual([[10, "10 seconds left."]]);
  });

  test("after sleep, the seconds that are left", () => {
    expect(announcedAt(45, 19)).toEqual([[19, "19 seconds left."]]);
    expect(announcedAt(200, 8)).toEqual([[8, "8 seconds left."]]);
  });

  test("no repetition after a clock correction", () => {
    expect(announcedAt(31, 30, 30, 29)).toEqual([[30, "30 seconds left."]]);
  });
});
