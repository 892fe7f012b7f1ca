import type { Page } from "@playwright/test";
import { CARDS, expect, payWith, test, title } from "./market";

const CONFIRM = "**/local-stripe/v1/payment_intents/*/confirm";

/** Every sentence about charges that the page shows from now on; `sentences` gives them. */
async function watchSentences(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const seen = new Set<string>();
    Object.assign(window, { seen });
    const look = () => {
      for (const each of document.querySelectorAll("main p")) seen.add(each.textContent ?? "");
    };
    new MutationObserver(look).observe(document.body, {
      childList: true,
      subtree: true,
      characterData: true,
    });
    look();
  });
  return () => page.evaluate(() => [...(Reflect.get(window, "seen") as Set<string>)]);
}

test("a confirmation whose answer is lost is not called a failure: the page checks, and tells the truth", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Lost answer")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.route(CONFIRM, async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  let answer = (): void => undefined;
  const isChecked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/api/**/*", async (route) => {
    if (route.request().method() === "GET") await isChecked;
    await route.continue();
  });
  const sentences = await watchSentences(page);
  await payWith(page, CARDS.pays);
  await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
  answer();
  await expect(page.getByText("It’s yours.")).toBeVisible();
  expect((await sentences()).filter((text) => /not been charged|declined/.test(text))).toEqual([]);
});

test("a confirmation that never reached Stripe can be tried again, once it is known that nothing came of it", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Never sent")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await page.route(CONFIRM, (route) => route.abort("connectionreset"));
  await payWith(page, CARDS.pays);
  await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
  await expect(page.getByText("No payment has reached us.")).toBeVisible();
  await page.unroute(CONFIRM);
  await payWith(page, CARDS.pays);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("money of an order that has ended is followed until it is settled", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Settling")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  let isSettled = false;
  await page.route("**/api/payments/*", async (route) => {
    const response = await route.fetch();
    if (isSettled || !response.ok()) return route.fulfill({ response });
    return route.fulfill({ response, json: { ...(await response.json()), status: "captured" } });
  });
  await buyer.call("DELETE", `/api/orders/${order}`);
  await expect(page.getByText("Your payment is being returned in full.")).toBeVisible();
  isSettled = true;
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await expect(page.getByText("Your payment is being returned in full.")).toHaveCount(0);
});

test("Back after paying leads to “You bought this ticket”, and to the order", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Back"));
  await buyer.entersWith(context);
  // Tickets learns of the hold late.
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
  await expect(page.getByText("You hold this ticket.")).toBeVisible();
  isLate = false;
  await page.getByRole("link", { name: "Go on to pay" }).click();
  await payWith(page, CARDS.pays);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await page.goBack();
  await expect(page.getByText("You bought this ticket.")).toBeVisible();
  await page.reload();
  await page.getByRole("link", { name: "See your order" }).click();
  await expect(page).toHaveURL(order);
});

/** The bank takes the money of a payment back, as after a dispute that its seller has lost. */
async function loseDispute(page: Page, stripeId: unknown): Promise<void> {
  const path = "/local-stripe/local/disputes";
  const opened = await page.request.post(path, { form: { payment_intent: String(stripeId) } });
  const { id } = await opened.json();
  await page.request.post(`${path}/${id}/close`, { form: { status: "lost" } });
}

test("money that went back is shown to buyer and seller, and the ticket is not “yours” any more", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const name = title("Disputed");
  const ticket = await seller.sells(name);
  const order = await buyer.orders(ticket);
  await buyer.pays(order);
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await loseDispute(page, (await buyer.call("GET", `/api/payments/${order}`)).body.stripeId);
  await expect.poll(() => buyer.orderStatus(order), { timeout: 30_000 }).toBe("refunded");
  await page.reload();
  await expect(page.getByText("This order was refunded.")).toBeVisible();
  await expect(page.getByText(/\$45\.00 went back to your card on .+, after a dispute/)).toBeVisible();
  await expect(page.getByText("It’s yours.")).toHaveCount(0);
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByText("You bought this ticket, and it was refunded.")).toBeVisible();
  await page.goto("/orders");
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Refunded");

  await seller.entersWith(context);
  await page.goto("/selling");
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText(
    "$45.00 went back to the buyer’s card",
  );
});

test("a part that went back leaves the ticket its buyer’s, and is shown", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("In part")));
  await buyer.pays(order);
  await buyer.entersWith(context);
  await page.route("**/api/orders/*", async (route) => {
    const response = await route.fetch();
    const refund = { amount: "5.00", reason: "refunded_at_stripe", at: "2026-11-27T10:00:00.000Z" };
    await route.fulfill({ response, json: { ...(await response.json()), refund } });
  });
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await expect(page.getByText("$5.00 went back to your card on Nov 27, 2026.")).toBeVisible();
});
