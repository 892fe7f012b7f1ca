import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { checkAccessibility, expect, type TestUser, test, uniqueTitle } from "./fixtures";

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

/** Opens Stripe's pages from the page of payouts, and presses one of their buttons. */
async function onboard(page: Page, link: string, outcome: string): Promise<void> {
  await page.getByRole("button", { name: link }).click();
  await page.getByRole("button", { name: outcome }).click();
  await page.waitForURL(/\/payouts/);
}

/** Sells a ticket, and waits until the seller's earnings from it are recorded. Returns its title. */
async function sell(seller: TestUser, buyer: TestUser, name: string): Promise<string> {
  const title = uniqueTitle(name);
  await buyer.pay(await buyer.placeOrder(await seller.createTicket(title)));
  await expect
    .poll(async () => JSON.stringify((await seller.call("GET", "/api/payouts")).body), { timeout: 30_000 })
    .toContain(title);
  return title;
}

for (const [device, viewport] of [["phone", PHONE] as const, ["desktop", DESKTOP] as const]) {
  test(`a seller connects an account at Stripe, on a ${device}`, async ({ page, context, seller }) => {
    await page.setViewportSize(viewport);
    await seller.signInTo(context);
    await page.goto("/");
    await page.getByRole("link", { name: "Get paid" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Get paid" })).toBeVisible();
    await expect(page.getByText("You have no payout account yet.")).toBeVisible();
    await expect(page.getByText("You have not sold anything yet.")).toBeVisible();
    await checkAccessibility(page, "no account");

    // Having come back proves nothing: Stripe is asked.
    await onboard(page, "Set up payouts at Stripe", "Return later");
    await expect(page.getByText("Your payout account is not ready yet.")).toBeVisible();
    await expect(page).toHaveURL("/payouts");
    await onboard(page, "Continue at Stripe", "Leave the bank account out");
    await expect(page.getByText("Bank account", { exact: true })).toBeVisible();
    await expect(page.getByText("Your payout account is not ready yet.")).toBeVisible();
    await checkAccessibility(page, "an account with something missing");
    await onboard(page, "Continue at Stripe", "Enter all details");
    await expect(page.getByText("You are set up to be paid.")).toBeVisible();
    await expect(page.getByRole("button", { name: /Stripe/ })).toHaveCount(0);
    await checkAccessibility(page, "a ready account");
  });
}

test("a used link to Stripe leads back, and another one works", async ({ page, context, seller }) => {
  await seller.signInTo(context);
  await page.goto("/payouts");
  await page.getByRole("button", { name: "Set up payouts at Stripe" }).click();
  await expect(page.getByRole("button", { name: "Enter all details" })).toBeVisible();
  await page.reload(); // the link works once
  await expect(page.getByText("That link to Stripe does not work any more.")).toBeVisible();
  await expect(page).toHaveURL("/payouts");
  await onboard(page, "Continue at Stripe", "Enter details that have to be verified");
  await expect(page.getByText("Your payout account is not ready yet.")).toBeVisible();
  // Stripe has verified them after ten seconds. The page notices by itself.
  await expect(page.getByText("You are set up to be paid.")).toBeVisible();
});

test("a link to Stripe that cannot be had says so, and can be asked for again", async ({
  page,
  context,
  seller,
}) => {
  await seller.signInTo(context);
  await page.goto("/payouts");
  const connect = page.getByRole("button", { name: "Set up payouts at Stripe" });
  await page.route("**/api/payouts/account", (route) =>
    route.request().method() === "POST" ? route.abort("connectionreset") : route.continue(),
  );
  await connect.click();
  await expect(page.getByRole("alert")).toContainText("No connection");
  await page.unroute("**/api/payouts/account");
  await connect.click();
  await expect(page.getByRole("button", { name: "Enter all details" })).toBeVisible();
});

test("earnings that cannot be loaded say so", async ({ page, context, seller }) => {
  await seller.signInTo(context);
  await page.route("**/api/payouts?*", (route) => route.abort("connectionreset"));
  await page.goto("/payouts");
  await expect(page.getByText("You have no payout account yet.")).toBeVisible();
  await expect(page.getByRole("alert")).toContainText("No connection");
  await page.unroute("**/api/payouts?*");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("You have not sold anything yet.")).toBeVisible();
});

for (const [device, viewport] of [["phone", PHONE] as const, ["desktop", DESKTOP] as const]) {
  test(`a sale is held, and its money waits for an account, on a ${device}`, async ({
    page,
    context,
    seller,
    buyer,
  }) => {
    const title = await sell(seller, buyer, "Opera");
    await page.setViewportSize(viewport);
    await seller.signInTo(context);
    await page.goto("/payouts");
    const sale = page.getByRole("article").filter({ hasText: title });
    await expect(sale).toContainText(/Held\. You can be paid from .+ on\./);
    await expect(sale).toContainText("$42.75");
    await expect(sale).toContainText("for $45.00, less a fee of $2.25");
    await expect(page.getByRole("figure")).toContainText("$42.75 earned in the last 30 days");
    await expect(page.getByRole("img", { name: /The most was \$42\.75/ })).toBeVisible();
    await page.getByText("Download as CSV").click();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download CSV" }).click();
    const file = await readFile(await (await downloading).path(), "utf8");
    expect(file).toContain(title);
    expect(file).toContain("42.75");
    await page.getByText("Show the days as a table").click();
    await expect(page.getByRole("row").nth(1)).toContainText("$42.75");
    await checkAccessibility(page, "earnings");
  });
}

test("earnings are sent once the account is ready", async ({ page, context, seller, buyer }) => {
  test.setTimeout(300_000); // the money is held for half a minute, and what is due is found every minute
  const title = await sell(seller, buyer, "Paid out");
  await seller.signInTo(context);
  await page.goto("/payouts");
  await onboard(page, "Set up payouts at Stripe", "Enter all details");
  await expect(page.getByText("You are set up to be paid.")).toBeVisible();
  const sale = page.getByRole("article").filter({ hasText: title });
  await expect(async () => {
    await page.reload();
    await expect(sale).toContainText(/Paid out\. It was sent to you on .+\./, { timeout: 5000 });
  }).toPass({ timeout: 240_000, intervals: [5000] });
  await expect(page.getByText("Paid out", { exact: true })).toBeVisible();
});

test("many earnings are loaded in pages, and the chart has all of them", async ({
  page,
  context,
  seller,
}) => {
  await seller.signInTo(context);
  const limits: string[] = [];
  await page.route("**/api/payouts?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [limit, from] = [Number(query.get("limit")), Number(query.get("cursor") ?? 0)];
    limits.push(`${limit} from ${from}`);
    const payouts = Array.from({ length: Math.min(limit, 130 - from) }, (_, n) => earning(from + n));
    const totals = {
      held: "130.00",
      due: "0.00",
      blocked: "0.00",
      paid: "0.00",
      reversed: "0.00",
      cancelled: "0.00",
    };
    const nextCursor = from + limit < 130 ? String(from + limit) : null;
    return route.fulfill({ json: { payouts, totals: { ...totals, currency: "usd" }, nextCursor } });
  });
  await page.goto("/payouts");
  await expect(page.getByRole("article")).toHaveCount(20);
  await expect(page.getByRole("figure")).toContainText("$130.00 earned in the last 30 days");
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByRole("article")).toHaveCount(40);
  expect(limits.sort()).toEqual(["100 from 0", "100 from 100", "20 from 0", "20 from 20"]);
});

/** One of many earnings, from an order of today. */
function earning(n: number) {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const now = Date.now();
  const time = Array.from({ length: 10 }, (_, place) => alphabet[Math.floor(now / 32 ** (9 - place)) % 32]);
  const id = `${time.join("")}${String(n).padStart(16, "0")}`;
  return {
    orderID: id,
    ticket: { id, title: `Row ${n}` },
    gross: "1.05",
    fee: "0.05",
    net: "1.00",
    currency: "usd",
    status: "held",
    availableAt: new Date(now).toISOString(),
  };
}
