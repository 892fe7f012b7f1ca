import type { Page } from "@playwright/test";
import { expect, TestUser, test, uniqueTitle } from "./fixtures";

async function signIn(page: Page, { email, password }: TestUser): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens a buyer's order with its card form. Returns texts that other users must not see. */
async function openOrder(page: Page, seller: TestUser, buyer: TestUser): Promise<string[]> {
  const name = uniqueTitle("Private");
  const order = await buyer.placeOrder(await seller.createTicket(name));
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  const { body } = await buyer.call("GET", `/api/payments/${order}`);
  expect(body.clientSecret).toMatch(/^pi_/);
  return [name, String(body.clientSecret)];
}

async function expectHidden(page: Page, secrets: string[]): Promise<void> {
  await expect(page.getByRole("heading", { name: "Order not found" })).toBeVisible();
  const shown = await page.content();
  for (const secret of secrets) expect(shown).not.toContain(secret);
}

test("the next user sees nothing of the previous user in any tab", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const next = await TestUser.signUp("next");
  await buyer.signInTo(context);
  const secrets = await openOrder(page, seller, buyer);
  const other = await context.newPage();
  await other.goto("/orders");
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("link", { name: "Sign in" }).click();
  await signIn(other, next);
  await expect(other.getByText(next.email)).toBeVisible();
  await expectHidden(page, secrets);
  await expect(page.getByText(next.email)).toBeVisible();
});

test("a changed session is noticed on focus", async ({ page, context, seller, buyer }) => {
  const next = await TestUser.signUp("next");
  await buyer.signInTo(context);
  const secrets = await openOrder(page, seller, buyer);
  await next.signInTo(context);
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expectHidden(page, secrets);
});

test("a restored page is hidden until the user is known", async ({ page, context, seller, buyer }) => {
  const next = await TestUser.signUp("next");
  await buyer.signInTo(context);
  const secrets = await openOrder(page, seller, buyer);
  await next.signInTo(context);
  let release = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/api/users/currentuser", async (route) => {
    await isReleased;
    await route.continue();
  });
  await page.evaluate(() => {
    for (const name of ["pagehide", "pageshow"])
      window.dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
  });
  await expect(page.getByText(secrets[0] ?? "")).toBeHidden();
  release();
  await expectHidden(page, secrets);
});

test("a late response to the previous user is not shown", async ({ page, context, seller, buyer }) => {
  const next = await TestUser.signUp("next");
  const name = uniqueTitle("Late");
  await buyer.placeOrder(await seller.createTicket(name));
  await buyer.signInTo(context);
  let release = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/api/orders?*", async (route) => {
    const response = await route.fetch();
    await isReleased;
    // The page may have aborted the request, as it should.
    await route.fulfill({ response }).catch(() => undefined);
  });
  const isSent = page.waitForRequest("**/api/orders?*");
  await page.goto("/orders");
  await isSent;
  const other = await context.newPage();
  await other.goto("/");
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("link", { name: "Sign in" }).click();
  await signIn(other, next);
  await expect(page.getByText(next.email)).toBeVisible();
  release();
  await page.unroute("**/api/orders?*");
  await expect(page.getByText("You have no orders yet.")).toBeVisible();
  await expect(page.getByText(name)).toHaveCount(0);
});

test("a draft survives the end of the session, for its user only", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  await seller.signInTo(context);
  await page.goto("/sell");
  await page.getByLabel("Title").fill("Opera, row 1");
  await page.getByLabel(/^Price/).fill("20");
  await context.clearCookies();
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByText("You are signed out.")).toBeVisible();
  await signIn(page, seller);
  await expect(page.getByLabel("Title")).toHaveValue("Opera, row 1");
  await expect(page.getByLabel(/^Price/)).toHaveValue("20");

  await context.clearCookies();
  await page.getByRole("button", { name: "Put on sale" }).click();
  await signIn(page, buyer);
  await expect(page.getByLabel("Title")).toHaveValue("");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await page.goto("/signin?next=/sell");
  await signIn(page, seller);
  await expect(page.getByLabel("Title")).toHaveValue("");
});

test("malformed return paths lead to the start page", async ({ page, context, buyer }) => {
  const nexts = ["//", "///", "/%5C", "/\\", "https:evil.example", "/.//evil.example", "/%00", "/%", "%"];
  for (const next of nexts) {
    await page.goto(`/signin?next=${encodeURIComponent(next)}`);
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  }
  await page.goto("/signin?next=//");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await buyer.signInTo(context);
  const origin = new URL(page.url()).origin;
  for (const next of nexts) {
    await page.goto(`/signin?next=${encodeURIComponent(next)}`);
    await expect(page.getByRole("heading", { name: "Tickets on sale" })).toBeVisible();
    expect(page.url()).toBe(`${origin}/`);
  }
});
