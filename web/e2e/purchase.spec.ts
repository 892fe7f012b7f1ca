import { CARDS, expect, mailedLink, payWith, SUBJECTS, test, uniqueTitle } from "./fixtures";

test("a visitor signs up, confirms the address and buys a ticket", async ({ page, seller }) => {
  const name = uniqueTitle("Nina Simone tribute");
  await seller.createTicket(name, "45.00");
  await seller.createTicket(uniqueTitle("Still on sale at the end"));

  await page.goto("/");
  await page.getByLabel(/^Search/).fill(name);
  await page.getByRole("link", { name }).click();
  await page.getByRole("link", { name: "Sign in to buy for $45.00" }).click();
  await page.getByRole("link", { name: "Sign up" }).click();
  const email = `visitor-${Date.now()}@example.com`;
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign up" }).click();

  await expect(page.getByRole("button", { name: "Buy for $45.00" })).toBeVisible();
  const ticketPage = page.url();
  await page.goto(await mailedLink(email, SUBJECTS.verify));
  await page.getByRole("button", { name: "Confirm this address" }).click();
  await expect(page.getByText("Your address is confirmed.")).toBeVisible();
  await page.goto(ticketPage);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page).toHaveURL(/\/orders\/\w+$/);
  await expect(page.getByRole("timer")).toHaveText(/^\d:\d\d$/);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("Confirming your payment").or(page.getByText("It’s yours."))).toBeVisible();
  await expect(page.getByText("It’s yours.")).toBeVisible();

  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Paid");
  await page.getByRole("link", { name: "On sale", exact: true }).click();
  await page.getByLabel(/^Search/).fill(name);
  await expect(page.getByRole("link", { name })).toHaveCount(0);
});

test("a declined card shows the reason, and another card pays", async ({ page, seller, buyer, context }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Cup final")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.insufficientFunds);
  await expect(page.getByRole("alert")).toContainText("Your card has insufficient funds.");
  await expect(page.getByRole("alert")).toContainText("You have not been charged.");
  expect(await buyer.orderStatus(order)).toBe("created");
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("an incorrect card number can be corrected", async ({ page, seller, buyer, context }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Cup final")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, "4242 4242 4242 4241");
  await expect(page.getByRole("alert")).toContainText("Your card number is incorrect.");
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("3-D Secure can fail, be repeated and succeed", async ({ page, seller, buyer, context }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Chamber music")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.threeDSecure);
  await page.getByRole("dialog", { name: "3-D Secure" }).getByRole("button", { name: "Fail" }).click();
  await expect(page.getByRole("alert")).toContainText("failed authentication");
  await payWith(page, CARDS.threeDSecure);
  await page.getByRole("dialog", { name: "3-D Secure" }).getByRole("button", { name: "Complete" }).click();
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a reload before, during or after the payment changes nothing", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Chamber music")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.reload();
  await payWith(page, CARDS.threeDSecure);
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.reload();
  const isAccepted = page.waitForResponse((response) => response.url().includes("/confirm") && response.ok());
  await payWith(page, CARDS.accepted);
  await isAccepted;
  await page.reload();
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await page.reload();
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a payment that only Stripe has yet is shown after a reload", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Chamber music")));
  await buyer.signInTo(context);
  await page.route("**/api/orders/*", async (route) => {
    const response = await route.fetch();
    const body = { ...(await response.json()), status: "created" };
    await route.fulfill({ response, json: body });
  });
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  await page.reload();
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  await expect(page.getByLabel("Card number")).toBeHidden();
  await page.unroute("**/api/orders/*");
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a cancelled order is not charged, and the ticket is on sale again", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const ticket = await seller.createTicket(uniqueTitle("Cup final"));
  const order = await buyer.placeOrder(ticket);
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(page.getByText("This order was cancelled.")).toBeVisible();
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await page.getByRole("link", { name: "View the ticket" }).click();
  await expect(page.getByRole("button", { name: "Buy for $45.00" })).toBeVisible();
});

test("a purchase with the keyboard only", async ({ page, seller, buyer }) => {
  const name = uniqueTitle("By keyboard");
  await seller.createTicket(name, "12.50");
  const press = async (target: ReturnType<typeof page.getByRole>, key: string) => {
    await expect(target).toBeVisible();
    for (let step = 0; step < 60; step += 1) {
      if (await target.evaluate((element) => element === document.activeElement)) break;
      await page.keyboard.press("Tab");
    }
    await expect(target).toBeFocused();
    await page.keyboard.press(key);
  };

  await page.goto("/");
  await press(page.getByLabel(/^Search/), "Home");
  await page.keyboard.type(name);
  await press(page.getByRole("link", { name }), "Enter");
  await press(page.getByRole("link", { name: "Sign in to buy for $12.50" }), "Enter");
  await press(page.getByLabel("E-mail"), "Home");
  await page.keyboard.type(buyer.email);
  await press(page.getByLabel("Password"), "Home");
  await page.keyboard.type(buyer.password);
  await page.keyboard.press("Enter");
  await press(page.getByRole("button", { name: "Buy for $12.50" }), "Enter");
  await press(page.getByRole("button", { name: "3-D Secure" }), "Space");
  await press(page.getByRole("button", { name: "Pay $12.50" }), "Enter");
  await press(page.getByRole("button", { name: "Complete authentication" }), "Enter");
  await expect(page.getByText("It’s yours.")).toBeVisible();
});
