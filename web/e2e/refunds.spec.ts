import { checkAccessibility, expect, test, uniqueTitle } from "./fixtures";

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

for (const [device, viewport] of [["phone", PHONE] as const, ["desktop", DESKTOP] as const]) {
  test.describe(device, () => {
    test.use({ viewport });

    test("a buyer asks for a refund, the seller refunds, and sells the ticket again", async ({
      page,
      context,
      browser,
      seller,
      buyer,
    }) => {
      const name = uniqueTitle("Refunded");
      const ticket = await seller.createTicket(name);
      const order = await buyer.placeOrder(ticket);
      await buyer.pay(order);
      await buyer.signInTo(context);
      await page.goto(`/orders/${order}`);
      await page.getByText("Ask for a refund").first().click();
      await page.getByRole("button", { name: "Ask for a refund" }).click();
      await expect(page.getByText("Give a reason.")).toBeVisible();
      await page.getByLabel("Why do you want your money back?").fill("I fell ill <b>&</b> stay at home");
      await checkAccessibility(page, "asking for a refund");
      await page.getByRole("button", { name: "Ask for a refund" }).click();
      await expect(page.getByText(/^You asked for a refund on .+\./)).toBeVisible();
      await expect(page.getByText("I fell ill <b>&</b> stay at home")).toBeVisible();
      await expect(page.getByRole("button", { name: "Ask for a refund" })).toHaveCount(0);
      await checkAccessibility(page, "an order with a request");

      const selling = await seller.openPage(browser);
      await selling.setViewportSize(viewport);
      await expect(async () => {
        await selling.goto(`/tickets/${ticket}`);
        await expect(selling.getByText(/^The buyer asked for a refund on .+\./)).toBeVisible({
          timeout: 3000,
        });
      }).toPass();
      await expect(selling.getByText("I fell ill <b>&</b> stay at home")).toBeVisible();
      await selling.getByRole("button", { name: "Refund the buyer" }).click();
      await expect(selling.getByText("Refund $45.00 to the buyer?")).toBeVisible();
      await selling.getByRole("button", { name: "Keep the sale" }).click();
      await selling.getByRole("button", { name: "Refund the buyer" }).click();
      await selling.getByLabel(/^Reason/).fill("Get well soon");
      await checkAccessibility(selling, "confirming a refund");
      await selling.getByRole("button", { name: "Refund $45.00" }).click();
      await expect(selling.getByText("The sale of this ticket was refunded.")).toBeVisible();
      await expect(selling.getByText(/^\$45\.00 was returned to the buyer’s card on .+\.$/)).toBeVisible();
      await checkAccessibility(selling, "a refunded ticket");

      await page.reload();
      await expect(page.getByText("This order was refunded.")).toBeVisible();
      await expect(page.getByText(/\$45\.00 was returned to your card on .+ 5 to 10 days/)).toBeVisible();
      await expect(page.getByText("The seller wrote: Get well soon")).toBeVisible();
      await page.goto("/orders");
      await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Refunded");

      await selling.getByRole("button", { name: "Put it on sale again for $45.00" }).click();
      await expect(selling.getByText("You are selling this ticket.")).toBeVisible();
      await page.goto(`/tickets/${ticket}`);
      await expect(page.getByRole("button", { name: "Buy for $45.00" })).toBeVisible();
    });
  });
}

test("a refund whose response is lost is not made twice", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Lost response"));
  const order = await buyer.placeOrder(ticket);
  await buyer.pay(order);
  await seller.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  const keys: (string | undefined)[] = [];
  await page.route("**/api/orders/*/refund", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  await page.getByRole("button", { name: "Refund the buyer" }).click();
  await page.getByRole("button", { name: "Refund $45.00" }).click();
  await expect(page.getByText("The sale of this ticket was refunded.")).toBeVisible();
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
  await expect.poll(() => buyer.orderStatus(order)).toBe("refunded");
});

test("while the bank takes its time, both see that the money is on its way", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.createTicket(uniqueTitle("Pending"));
  const order = await buyer.placeOrder(ticket);
  await buyer.pay(order);
  await buyer.signInTo(context);
  await page.route(`**/api/orders/${order}`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), status: "refunding" } });
  });
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("This order is being refunded.")).toBeVisible();
  await expect(
    page.getByText(/being returned to your card in full\. The ticket is yours until/),
  ).toBeVisible();
  await page.unroute(`**/api/orders/${order}`);

  await seller.signInTo(context);
  await page.route("**/api/tickets/mine?*", async (route) => {
    const response = await route.fetch();
    const { tickets, nextCursor } = await response.json();
    const refunding = tickets.map((each: object) => ({ ...each, refunding: true }));
    await route.fulfill({ response, json: { tickets: refunding, nextCursor } });
  });
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByText("The buyer is being refunded.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Refund the buyer" })).toHaveCount(0);
  await page.goto("/selling");
  await expect(page.getByRole("article").first()).toContainText("Being refunded");
});
