import type { Page } from "@playwright/test";
import { CARDS, expect, payWith, test, uniqueTitle } from "./fixtures";

const CONFIRM = "**/local-stripe/v1/payment_intents/*/confirm";

/** Records every sentence that the page shows from now on. Returns a function that reads them. */
async function recordSentences(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const seen = new Set<string>();
    Object.assign(window, { seen });
    const record = () => {
      for (const each of document.querySelectorAll("main p")) seen.add(each.textContent ?? "");
    };
    new MutationObserver(record).observe(document.body, {
      childList: true,
      subtree: true,
      characterData: true,
    });
    record();
  });
  return () => page.evaluate(() => [...(Reflect.get(window, "seen") as Set<string>)]);
}

test("a lost response to a confirmation is not shown as a failure", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Lost response")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.route(CONFIRM, async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  let release = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/api/**/*", async (route) => {
    if (route.request().method() === "GET") await isReleased;
    await route.continue();
  });
  const sentences = await recordSentences(page);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
  release();
  await expect(page.getByText("It’s yours.")).toBeVisible();
  expect((await sentences()).filter((text) => /not been charged|declined/.test(text))).toEqual([]);
});

test("a confirmation that never reached Stripe can be repeated", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Never sent")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await page.route(CONFIRM, (route) => route.abort("connectionreset"));
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
  await expect(page.getByText("We have not received a payment.")).toBeVisible();
  await page.unroute(CONFIRM);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("the payment of a cancelled order is polled until it is settled", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Settling")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  let isSettled = false;
  await page.route("**/api/payments/*", async (route) => {
    const response = await route.fetch();
    if (isSettled || !response.ok()) return route.fulfill({ response });
    return route.fulfill({ response, json: { ...(await response.json()), status: "captured" } });
  });
  await buyer.call("DELETE", `/api/orders/${order}`);
  // A payable order is not polled. The page reads it again when the buyer returns to it.
  await expect(async () => {
    await page.evaluate(() => window.dispatchEvent(new Event("visibilitychange")));
    await expect(page.getByText("Your payment is being refunded in full.")).toBeVisible({ timeout: 1000 });
  }).toPass();
  isSettled = true;
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await expect(page.getByText("Your payment is being refunded in full.")).toHaveCount(0);
});

test("Back after paying shows that the ticket is bought", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Back"));
  await buyer.signInTo(context);
  // Replication lag: Tickets does not have the hold yet.
  let isLate = true;
  await page.route(`**/api/tickets/${ticket}`, async (route) => {
    const response = await route.fetch();
    const late = { status: "available", version: 1 };
    await route.fulfill({ response, json: { ...(await response.json()), ...(isLate ? late : {}) } });
  });
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await page.waitForURL("**/orders/*");
  const order = page.url();
  await page.goBack();
  await expect(page.getByText("This ticket is held for you.")).toBeVisible();
  isLate = false;
  await page.getByRole("link", { name: "Continue to payment" }).click();
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await page.goBack();
  await expect(page.getByText("You bought this ticket.")).toBeVisible();
  await page.reload();
  await page.getByRole("link", { name: "View your order" }).click();
  await expect(page).toHaveURL(order);
});

/** Opens a dispute about a payment at the local Stripe and closes it as lost. */
async function loseDispute(page: Page, stripeId: unknown): Promise<void> {
  const path = "/local-stripe/local/disputes";
  const opened = await page.request.post(path, { form: { payment_intent: String(stripeId) } });
  const { id } = await opened.json();
  await page.request.post(`${path}/${id}/close`, { form: { status: "lost" } });
}

test("a lost dispute is shown to buyer and seller", async ({ page, context, seller, buyer }) => {
  const name = uniqueTitle("Disputed");
  const ticket = await seller.createTicket(name);
  const order = await buyer.placeOrder(ticket);
  await buyer.pay(order);
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await loseDispute(page, (await buyer.call("GET", `/api/payments/${order}`)).body.stripeId);
  await expect.poll(() => buyer.orderStatus(order), { timeout: 30_000 }).toBe("refunded");
  await page.reload();
  await expect(page.getByText("This order was refunded.")).toBeVisible();
  await expect(page.getByText(/\$45\.00 was returned to your card on .+, after a dispute/)).toBeVisible();
  await expect(page.getByText("It’s yours.")).toHaveCount(0);
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByText("This ticket is withdrawn.")).toBeVisible();
  await page.goto("/orders");
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Refunded");

  await seller.signInTo(context);
  await page.goto("/selling");
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText(
    "$45.00 was returned to the buyer’s card",
  );
});

test("a partial refund is shown, and the ticket remains the buyer’s", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("In part")));
  await buyer.pay(order);
  await buyer.signInTo(context);
  await page.route("**/api/orders/*", async (route) => {
    const response = await route.fetch();
    const refund = { amount: "5.00", reason: "refunded_at_stripe", at: "2026-11-27T10:00:00.000Z" };
    await route.fulfill({ response, json: { ...(await response.json()), refund } });
  });
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await expect(page.getByText("$5.00 was returned to your card on Nov 27, 2026.")).toBeVisible();
});
