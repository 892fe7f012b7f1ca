import { CARDS, expect, payWith, test, title } from "./market";

test("a visitor signs up on the way, buys a ticket and owns it", async ({ page, seller }) => {
  const name = title("Nina Simone tribute");
  await seller.sells(name, "45.00");

  await page.goto("/");
  await page.getByLabel(/^Search/).fill(name);
  await page.getByRole("link", { name }).click();
  await page.getByRole("link", { name: "Sign in to buy for $45.00" }).click();
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.getByLabel("E-mail").fill(`visitor-${Date.now()}@example.com`);
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign up" }).click();

  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page).toHaveURL(/\/orders\/\w+$/);
  await expect(page.getByRole("timer")).toHaveText(/^\d:\d\d$/);
  await payWith(page, CARDS.pays);
  await expect(page.getByText("Confirming your payment").or(page.getByText("It’s yours."))).toBeVisible();
  await expect(page.getByText("It’s yours.")).toBeVisible();

  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Yours");
  await page.getByRole("link", { name: "On sale", exact: true }).click();
  await page.getByLabel(/^Search/).fill(name);
  await expect(page.getByRole("link", { name })).toHaveCount(0);
});

test("a card that is declined says why, and another one pays", async ({ page, seller, buyer, context }) => {
  const order = await buyer.orders(await seller.sells(title("Cup final")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.hasNoFunds);
  await expect(page.getByRole("alert")).toContainText("Your card has insufficient funds.");
  await expect(page.getByRole("alert")).toContainText("You have not been charged.");
  expect(await buyer.orderStatus(order)).toBe("created");
  await payWith(page, CARDS.pays);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a card number with a typing mistake is refused, and can be corrected", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.orders(await seller.sells(title("Cup final")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, "4242 4242 4242 4241");
  await expect(page.getByRole("alert")).toContainText("Your card number is incorrect.");
  await payWith(page, CARDS.pays);
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("3-D Secure: a buyer who fails it may try again, and one who completes it pays", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.orders(await seller.sells(title("Chamber music")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.asksFor3DSecure);
  await page.getByRole("dialog", { name: "3-D Secure" }).getByRole("button", { name: "Fail" }).click();
  await expect(page.getByRole("alert")).toContainText("failed authentication");
  await payWith(page, CARDS.asksFor3DSecure);
  await page.getByRole("dialog", { name: "3-D Secure" }).getByRole("button", { name: "Complete" }).click();
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a reload in the middle changes nothing: before paying, in 3-D Secure, and right after", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.orders(await seller.sells(title("Chamber music")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.reload();
  await payWith(page, CARDS.asksFor3DSecure);
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.reload();
  const isAccepted = page.waitForResponse((response) => response.url().includes("/confirm") && response.ok());
  await payWith(page, CARDS.pays);
  await isAccepted;
  await page.reload();
  await expect(page.getByText("It’s yours.")).toBeVisible();
  await page.reload();
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a payment that Stripe has and our services don’t know of yet is shown as such after a reload", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const order = await buyer.orders(await seller.sells(title("Chamber music")));
  await buyer.entersWith(context);
  await page.route("**/api/orders/*", async (route) => {
    const response = await route.fetch();
    const body = { ...(await response.json()), status: "created" };
    await route.fulfill({ response, json: body });
  });
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.pays);
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  await page.reload();
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  await expect(page.getByLabel("Card number")).toBeHidden();
  await page.unroute("**/api/orders/*");
  await expect(page.getByText("It’s yours.")).toBeVisible();
});

test("a buyer who cancels is not charged, and the ticket is on sale again", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const ticket = await seller.sells(title("Cup final"));
  const order = await buyer.orders(ticket);
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(page.getByText("This order has ended.")).toBeVisible();
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await page.getByRole("link", { name: "Look at the ticket" }).click();
  await expect(page.getByRole("button", { name: "Buy for $45.00" })).toBeVisible();
});

test("a purchase by keyboard alone", async ({ page, seller, buyer }) => {
  const name = title("By keyboard");
  await seller.sells(name, "12.50");
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
  await press(page.getByRole("button", { name: "asks for 3-d secure" }), "Space");
  await press(page.getByRole("button", { name: "Pay $12.50" }), "Enter");
  await press(page.getByRole("button", { name: "Complete authentication" }), "Enter");
  await expect(page.getByText("It’s yours.")).toBeVisible();
});
