import type { Page } from "@playwright/test";
import { expect, Person, test, title } from "./market";

async function signIn(page: Page, { email, password }: Person): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Opens a buyer's order with its card form; what must not be seen of it later. */
async function openOrder(page: Page, seller: Person, buyer: Person): Promise<string[]> {
  const name = title("Private");
  const order = await buyer.orders(await seller.sells(name));
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  const { body } = await buyer.call("GET", `/api/payments/${order}`);
  expect(body.clientSecret).toMatch(/^pi_/);
  return [name, String(body.clientSecret)];
}

async function expectNothingOf(page: Page, secrets: string[]): Promise<void> {
  await expect(page.getByRole("heading", { name: "There is no such order" })).toBeVisible();
  const shown = await page.content();
  for (const secret of secrets) expect(shown).not.toContain(secret);
}

test("the next user of a browser sees nothing of the one before, in any tab", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const next = await Person.newcomer("next");
  await buyer.entersWith(context);
  const secrets = await openOrder(page, seller, buyer);
  const other = await context.newPage();
  await other.goto("/orders");
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("link", { name: "Sign in" }).click();
  await signIn(other, next);
  await expect(other.getByText(next.email)).toBeVisible();
  await expectNothingOf(page, secrets);
  await expect(page.getByText(next.email)).toBeVisible();
});

test("a session that was changed without a word is noticed when the window gets the focus", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const next = await Person.newcomer("next");
  await buyer.entersWith(context);
  const secrets = await openOrder(page, seller, buyer);
  await next.entersWith(context);
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await expectNothingOf(page, secrets);
});

test("a page that the browser kept shows nothing before it is known who is signed in now", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const next = await Person.newcomer("next");
  await buyer.entersWith(context);
  const secrets = await openOrder(page, seller, buyer);
  await next.entersWith(context);
  let answer = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/api/users/currentuser", async (route) => {
    await isAsked;
    await route.continue();
  });
  await page.evaluate(() => {
    for (const name of ["pagehide", "pageshow"])
      window.dispatchEvent(new PageTransitionEvent(name, { persisted: true }));
  });
  await expect(page.getByText(secrets[0] ?? "")).toBeHidden();
  answer();
  await expectNothingOf(page, secrets);
});

test("an answer that comes for the user before is neither shown nor kept", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const next = await Person.newcomer("next");
  const name = title("Late");
  await buyer.orders(await seller.sells(name));
  await buyer.entersWith(context);
  let answer = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/api/orders?*", async (route) => {
    const response = await route.fetch();
    await isOver;
    // The page has given it up, where it is right.
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
  answer();
  await page.unroute("**/api/orders?*");
  await expect(page.getByText("You have ordered nothing yet.")).toBeVisible();
  await expect(page.getByText(name)).toHaveCount(0);
});

test("what was typed survives the end of the session, for its user alone", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  await seller.entersWith(context);
  await page.goto("/sell");
  await page.getByLabel("What is it for?").fill("Opera, row 1");
  await page.getByLabel(/^Price/).fill("20");
  await context.clearCookies();
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByText("You are signed out.")).toBeVisible();
  await signIn(page, seller);
  await expect(page.getByLabel("What is it for?")).toHaveValue("Opera, row 1");
  await expect(page.getByLabel(/^Price/)).toHaveValue("20");

  await context.clearCookies();
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await signIn(page, buyer);
  await expect(page.getByLabel("What is it for?")).toHaveValue("");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.goto("/signin?next=/sell");
  await signIn(page, seller);
  await expect(page.getByLabel("What is it for?")).toHaveValue("");
});

test("a link from elsewhere neither crashes the page nor leads out of the client", async ({
  page,
  context,
  buyer,
}) => {
  const nexts = ["//", "///", "/%5C", "/\\", "https:evil.example", "/.//evil.example", "/%00", "/%", "%"];
  for (const next of nexts) {
    await page.goto(`/signin?next=${encodeURIComponent(next)}`);
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  }
  await page.goto("/signin?next=//");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await buyer.entersWith(context);
  const origin = new URL(page.url()).origin;
  for (const next of nexts) {
    await page.goto(`/signin?next=${encodeURIComponent(next)}`);
    await expect(page.getByRole("heading", { name: "Tickets on sale" })).toBeVisible();
    expect(page.url()).toBe(`${origin}/`);
  }
});
