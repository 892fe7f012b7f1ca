/** Accounts by mail: verification, a forgotten password, another address. The links come from the local mailbox. */

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, mailedLink, SUBJECTS, TestUser, test, uniqueTitle } from "./fixtures";

test("a new user confirms the address, and can sell then", async ({ page }) => {
  const email = `new-${randomUUID().slice(0, 8)}@example.com`;
  await page.goto("/signup?next=%2Fsell");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign up" }).click();
  const banner = page.getByRole("complementary", { name: "Confirm your e-mail address" });
  await expect(banner).toContainText(`We mailed a link to ${email}`);
  await sell(page, "Too early");
  await expect(page.getByRole("alert")).toBeVisible();
  await banner.getByRole("button", { name: "Mail the link again" }).click();
  await expect(banner.getByRole("status")).toContainText("A new link is on its way.");

  await page.goto(await mailedLink(email, SUBJECTS.verify));
  await page.getByRole("button", { name: "Confirm this address" }).click();
  await expect(page.getByText("Your address is confirmed.")).toBeVisible();
  await page.goto("/account");
  await expect(page.getByText("Confirmed.", { exact: true })).toBeVisible();
  await expect(banner).toBeHidden();
  await page.goto("/sell");
  const title = uniqueTitle("In time");
  await sell(page, title);
  await expect(page.getByText(title)).toBeVisible();
});

async function sell(page: Page, title: string): Promise<void> {
  await page.getByLabel("Title").fill(title);
  await page.getByLabel("Price").fill("45.00");
  await page.getByRole("button", { name: "Put on sale" }).click();
}

test("opening a link does not use it; using it twice is explained", async ({ page }) => {
  const user = await TestUser.signUpUnverified("links");
  const link = await mailedLink(user.email, SUBJECTS.verify);
  await page.goto(link);
  await page.goto("/");
  await page.goto(link);
  await page.getByRole("button", { name: "Confirm this address" }).click();
  await expect(page.getByText("Your address is confirmed.")).toBeVisible();
  await page.goto("/");
  await page.goto(link);
  await page.getByRole("button", { name: "Confirm this address" }).click();
  await expect(page.getByRole("alert")).toContainText("This link does not work any more.");
});

test("a forgotten password is replaced by a mailed link, which ends other sessions", async ({
  page,
  browser,
  buyer,
}) => {
  const other = await buyer.openPage(browser);
  await other.goto("/orders");
  await page.goto("/signin");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await expect(page.getByRole("heading", { name: "Forgot your password?" })).toBeVisible();
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByRole("button", { name: "Mail me a link" }).click();
  await expect(page.getByText("Look into your mailbox.")).toBeVisible();

  await page.goto(await mailedLink(buyer.email, SUBJECTS.reset));
  await page.getByLabel("New password").fill("password1");
  await page.getByRole("button", { name: "Save and sign in" }).click();
  await expect(page.getByText(/one of the most common/)).toBeVisible();
  await page.getByLabel("New password").fill("another horse");
  await page.getByRole("button", { name: "Save and sign in" }).click();
  await expect(page).toHaveURL("/");
  await expect(page.getByText(buyer.email)).toBeVisible();

  await expect(async () => {
    await other.reload();
    await expect(other.getByText("You are signed out.").or(other.getByLabel("Password"))).toBeVisible();
  }).toPass({ timeout: 90_000 });
});

test("an unknown address gets the same answer, and no mail", async ({ page }) => {
  await page.goto("/forgot");
  await page.getByLabel("E-mail").fill("nobody@example.com");
  await page.getByRole("button", { name: "Mail me a link" }).click();
  await expect(page.getByText("Look into your mailbox.")).toBeVisible();
});

test("a link without its token is explained", async ({ page }) => {
  await page.goto("/reset");
  await expect(page.getByRole("alert")).toContainText("This link does not work any more.");
  await page.goto("/verify");
  await expect(page.getByRole("alert")).toContainText("This link is not complete.");
});

test("the address changes once its link is used", async ({ page, context, buyer }) => {
  const next = `next-${randomUUID().slice(0, 8)}@example.com`;
  await buyer.signInTo(context);
  await page.goto("/account");
  await page.getByText("Change the address").first().click();
  await page.getByLabel("New e-mail address").fill(next);
  await page.getByLabel("Your password").fill("a wrong password");
  await page.getByRole("button", { name: "Change the address" }).click();
  await expect(page.getByText("This is not your password.")).toBeVisible();
  await page.getByLabel("Your password").fill(buyer.password);
  await page.getByRole("button", { name: "Change the address" }).click();
  await expect(page.getByRole("status").filter({ hasText: next })).toBeVisible();
  await page.goto(await mailedLink(next, SUBJECTS.newAddress));
  await page.getByRole("button", { name: "Confirm this address" }).click();
  await expect(page.getByRole("link", { name: next })).toBeVisible();
});

test("the account page lists sessions, ends one, and ends all", async ({ page, context, browser, buyer }) => {
  const other = await buyer.openPage(browser);
  await other.goto("/orders");
  await buyer.signInTo(context);
  await page.goto("/account");
  const rows = page.getByRole("listitem").filter({ hasText: "Since" });
  await expect(rows.filter({ hasText: "(this one)" })).toHaveCount(1);
  const before = await rows.count();
  expect(before).toBeGreaterThan(1);
  await rows.filter({ hasNotText: "(this one)" }).first().getByRole("button").click();
  await expect(rows).toHaveCount(before - 1);

  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
});

test("the password changes with the current one", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  await page.goto("/.well-known/change-password");
  await expect(page).toHaveURL("/account");
  await page.getByText("Change the password").first().click();
  await page.getByLabel("Current password").fill(buyer.password);
  await page.getByLabel("New password").fill("another horse");
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(page.getByText("Your password is changed.")).toBeVisible();
});

test("the data of an account is downloaded", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  await page.goto("/account");
  const started = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download your data" }).click();
  const data = JSON.parse(await readFile(await (await started).path(), "utf8"));
  expect(data.account.email).toBe(buyer.email);
  expect(data.account.sessions.length).toBeGreaterThan(0);
  expect(Object.keys(data)).toContain("payments");
});

test("an account is deleted with its password, once no order is open", async ({ page, context, seller }) => {
  const user = await TestUser.signUp("leaving");
  const order = await user.placeOrder(await seller.createTicket(uniqueTitle("Last order")));
  await user.signInTo(context);
  await page.goto("/account");
  await page.getByText("Delete your account").click();
  const confirm = async (password: string) => {
    await page.getByLabel("Password of the account").fill(password);
    await page.getByRole("button", { name: "Delete my account" }).press("Enter");
    await page.getByRole("button", { name: "Delete for good" }).press("Enter");
  };
  await confirm("not the password");
  await expect(page.getByText("This is not your password.")).toBeVisible();
  await confirm(user.password);
  await expect(page.getByRole("alert")).toContainText("You have an open order.");
  await user.call("DELETE", `/api/orders/${order}`);
  await confirm(user.password);
  await expect(page.getByRole("heading", { name: "Your account is deleted" })).toBeVisible();
  await expect(page).toHaveURL("/deleted");
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  const { email, password } = user;
  expect((await context.request.post("/api/users/signin", { data: { email, password } })).status()).toBe(401);
});

test("the pages of an account are accessible, also on a phone", async ({ page, context }) => {
  const user = await TestUser.signUp("axe");
  await page.setViewportSize({ width: 360, height: 740 });
  const check = async () => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect.soft(violations.map(({ id }) => id)).toEqual([]);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect.soft(excess).toBeLessThanOrEqual(0);
  };
  for (const path of ["/forgot", "/reset#token", "/reset", "/verify#token", "/deleted"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await check();
  }
  await user.signInTo(context);
  await page.goto("/account");
  await expect(page.getByText("(this one)")).toBeVisible();
  for (const summary of await page.locator("summary").all()) await summary.click();
  await check();
});
