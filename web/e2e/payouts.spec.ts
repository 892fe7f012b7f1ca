import type { Page } from "@playwright/test";
import { checkAccessibility, expect, test } from "./fixtures";

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

/** Opens Stripe's pages from the page of payouts, and presses one of their buttons. */
async function onboard(page: Page, link: string, outcome: string): Promise<void> {
  await page.getByRole("button", { name: link }).click();
  await page.getByRole("button", { name: outcome }).click();
  await page.waitForURL(/\/payouts/);
}

for (const [device, viewport] of [["phone", PHONE] as const, ["desktop", DESKTOP] as const]) {
  test(`a seller connects an account at Stripe, on a ${device}`, async ({ page, context, seller }) => {
    await page.setViewportSize(viewport);
    await seller.signInTo(context);
    await page.goto("/");
    await page.getByRole("link", { name: "Get paid" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Get paid" })).toBeVisible();
    await expect(page.getByText("You have no payout account yet.")).toBeVisible();
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
