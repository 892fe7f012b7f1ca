import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Earning } from "../api/types";
import {
  chartStart,
  daysError,
  describeEarning,
  EARNING_LABELS,
  earningsByDay,
  isLost,
  STATUSES,
} from "./earnings";

const earning = (status: Earning["status"], rest: Partial<Earning> = {}): Earning => ({
  orderID: "01KARTQ2M8Z6V3N4J5X7C9E1F2",
  ticket: { id: "01KARTQ2M8Z6V3N4J5X7C9E1F3", title: "Opera" },
  gross: "45.00",
  fee: "2.25",
  net: "42.75",
  currency: "usd",
  status,
  availableAt: "2026-12-05T10:00:00Z",
  ...rest,
});

/** An order id made at a time. */
function idAt(time: number): string {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const digits = Array.from({ length: 10 }, (_, n) => alphabet[Math.floor(time / 32 ** (9 - n)) % 32]);
  return `${digits.join("")}${"0".repeat(16)}`;
}

beforeEach(() => vi.stubEnv("TZ", "UTC"));
afterEach(() => vi.unstubAllEnvs());

describe("what happens with the money of a sale", () => {
  test("held until a date, then due", () => {
    expect(describeEarning(earning("held"), "none", "en-US")).toBe("You can be paid from Dec 5, 2026 on.");
    expect(describeEarning(earning("due"), "ready")).toBe("It is sent to you shortly.");
  });

  test("due earnings wait for an account that is not ready", () => {
    for (const account of ["none", "incomplete", "restricted"] as const)
      expect(describeEarning(earning("due"), account)).toBe("It waits until your payout account is ready.");
  });

  test("money is called sent only when it was", () => {
    expect(describeEarning(earning("paid", { paidAt: "2026-12-06T10:00:00Z" }), "ready", "en-US")).toBe(
      "It was sent to you on Dec 6, 2026.",
    );
    for (const status of STATUSES.filter((each) => each !== "paid" && each !== "reversed"))
      expect(describeEarning(earning(status), "ready")).not.toMatch(/was sent/);
  });

  test("a refunded sale earns nothing", () => {
    expect(describeEarning(earning("reversed"), "ready")).toMatch(/taken back/);
    expect(describeEarning(earning("cancelled"), "ready")).toMatch(/nothing is sent/);
    expect(STATUSES.filter((status) => isLost(earning(status)))).toEqual(["reversed", "cancelled"]);
  });

  test("each status has a label and a place among the totals", () => {
    expect([...STATUSES].sort()).toEqual(Object.keys(EARNING_LABELS).sort());
  });
});

describe("earnings by day", () => {
  const NOW = Date.parse("2026-11-28T15:00:00Z");
  const sold = (at: string, status: Earning["status"] = "held", net = "42.75") =>
    earning(status, { orderID: idAt(Date.parse(at)), net });
  const shown = (earnings: Earning[]) =>
    earningsByDay(earnings, NOW)
      .filter(({ sales }) => sales > 0)
      .map(({ day, net, sales }) => [day.toISOString().slice(0, 10), net, sales]);

  test("thirty days, the last is today", () => {
    const days = earningsByDay([], NOW).map(({ day }) => day.toISOString().slice(0, 10));
    expect(days).toHaveLength(30);
    expect([days[0], days[29]]).toEqual(["2026-10-30", "2026-11-28"]);
    expect(new Date(chartStart(NOW)).toISOString()).toBe("2026-10-30T00:00:00.000Z");
  });

  test("the sales of a day are added up", () => {
    const sales = [
      sold("2026-11-28T23:59:59Z"),
      sold("2026-11-28T00:00:00Z", "paid", "0.10"),
      sold("2026-11-27T23:59:59Z", "due", "0.20"),
    ];
    expect(shown(sales)).toEqual([
      ["2026-11-27", "0.20", 1],
      ["2026-11-28", "42.85", 2],
    ]);
  });

  test("refunded sales and those before the first day are left out", () => {
    const at = "2026-11-28T10:00:00Z";
    expect(shown([sold(at, "reversed"), sold(at, "cancelled"), sold("2026-10-29T23:59:59Z")])).toEqual([]);
  });

  test("a day of 23 or 25 hours is one day", () => {
    vi.stubEnv("TZ", "America/New_York");
    const starts = earningsByDay([], Date.parse("2026-11-10T12:00:00Z")).map(({ day }) => day.getHours());
    expect(new Set(starts)).toEqual(new Set([0]));
  });
});

test("the last day of an export is not before the first", () => {
  const [from, to] = ["2026-11-01", "2026-11-30"];
  expect(daysError({ from, to })).toEqual({ from: undefined, to: undefined });
  expect(daysError({ from, to: from }).to).toBeUndefined();
  expect(daysError({ from: to, to: from }).to).toBe("The last day is before the first.");
  expect(daysError({ from: "", to: "" })).toEqual({
    from: "Choose the first day.",
    to: "Choose the last day.",
  });
});
