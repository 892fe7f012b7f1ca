import { CARDS, expect, ORDER_WINDOW_SECONDS, payWith, TestUser, test, uniqueTitle } from "./fixtures";

test("two browsers order one ticket at once: one gets it", async ({ browser, seller }) => {
  const ticket = await seller.createTicket(uniqueTitle("One seat"));
  const users = [await TestUser.signUp("left"), await TestUser.signUp("right")];
  const pages = await Promise.all(users.map((user) => user.openPage(browser)));
  const buttons = pages.map((page) => page.getByRole("button", { name: "Buy for $45.00" }));
  for (const page of pages) await page.goto(`/tickets/${ticket}`);
  for (const button of buttons) await expect(button).toBeVisible();
  await Promise.all(buttons.map((button) => button.click()));

  const outcomes = await Promise.all(
    pages.map(async (page) => {
      const won = page.getByRole("timer");
      const lost = page.getByText("Another buyer was faster.");
      await expect(won.or(lost)).toBeVisible();
      return (await won.isVisible()) ? "won" : "lost";
    }),
  );
  expect(outcomes.toSorted()).toEqual(["lost", "won"]);
  const winner = pages[outcomes.indexOf("won")];
  const loser = pages[outcomes.indexOf("lost")];
  if (winner === undefined || loser === undefined) throw new Error("nobody won");
  await expect(loser.getByText("Held by a buyer")).toBeVisible();
  await expect(loser.getByRole("link", { name: "See other tickets" })).toBeVisible();

  // After the hold has ended, the other page offers the ticket again without a reload.
  await winner.getByRole("button", { name: "Cancel the order" }).click();
  await expect(winner.getByText("This order was cancelled.")).toBeVisible();
  await loser.getByRole("button", { name: "Buy for $45.00" }).click();
  await payWith(loser, CARDS.accepted);
  await expect(loser.getByText("It’s yours.")).toBeVisible();
});

test("a lapsed order says so, and another buyer buys the ticket", async ({
  browser,
  page,
  context,
  seller,
  buyer,
}) => {
  test.setTimeout((ORDER_WINDOW_SECONDS + 120) * 1000);
  const ticket = await seller.createTicket(uniqueTitle("Slow buyer"));
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await page.getByLabel("Card number").fill(CARDS.accepted);

  const other = await (await TestUser.signUp("other")).openPage(browser);
  await other.goto(`/tickets/${ticket}`);
  await expect(other.getByText("Another buyer is holding this ticket.")).toBeVisible();

  await expect(page.getByText("Your time to pay is up.")).toBeVisible({
    timeout: (ORDER_WINDOW_SECONDS + 10) * 1000,
  });
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await expect(page.getByLabel("Card number")).toBeHidden();

  await other.getByRole("button", { name: "Buy for $45.00" }).click();
  await payWith(other, CARDS.accepted);
  await expect(other.getByText("It’s yours.")).toBeVisible();
  await expect(page.getByText("This order was cancelled.")).toBeVisible();
  await page.getByRole("link", { name: "View the ticket" }).click();
  await expect(page.getByText("This ticket has been sold.")).toBeVisible();
});

test("a hold that lapses during 3-D Secure is not charged", async ({ page, context, seller, buyer }) => {
  test.setTimeout((ORDER_WINDOW_SECONDS + 120) * 1000);
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Slow bank")));
  await buyer.signInTo(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.threeDSecure);
  await expect(page.getByRole("dialog")).toBeVisible();
  await expect(page.getByText("Your time to pay is up.")).toBeVisible({
    timeout: (ORDER_WINDOW_SECONDS + 10) * 1000,
  });
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByText("You have not been charged.")).toBeVisible();
});

test("the countdown uses the server’s clock", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Wrong clock")));
  await buyer.signInTo(context);
  await page.addInitScript(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 3_600_000;
  });
  await page.goto(`/orders/${order}`);
  const timer = page.getByRole("timer");
  await expect(timer).toBeVisible();
  const { body } = await buyer.call("GET", `/api/orders/${order}`);
  const left = (Date.parse(String(body.expiresAt)) - Date.now()) / 1000;
  const shown = Number((await timer.textContent())?.split(":")[1]);
  expect(Math.abs(shown - left)).toBeLessThanOrEqual(2);
});

test("the ticket page links to the buyer’s own order", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Lost tab"));
  const order = await buyer.placeOrder(ticket);
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("link", { name: "Continue to payment" }).click();
  await expect(page).toHaveURL(`/orders/${order}`);
});

test("a changed price is shown before an order is placed", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Dearer"), "10.00");
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByRole("button", { name: "Buy for $10.00" })).toBeVisible();
  await seller.call("PUT", `/api/tickets/${ticket}`, { title: uniqueTitle("Dearer"), price: "11.00" });
  // Wait until Orders has the new price: a third user orders at that price and cancels.
  const probe = await TestUser.signUp("probe");
  let held = "";
  await expect
    .poll(async () => {
      const { status, body } = await probe.call("POST", "/api/orders", { ticketID: ticket, price: "11.00" });
      held = String(body.id);
      return status;
    })
    .toBe(201);
  await probe.call("DELETE", `/api/orders/${held}`);
  await page.getByRole("button", { name: "Buy for $10.00" }).click();
  await expect(page.getByRole("alert")).toContainText("The price has changed to $11.00.");
  await page.getByRole("button", { name: "Buy for $11.00" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
});

test("an order cancelled in one tab is cancelled in the other", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Two tabs")));
  await buyer.signInTo(context);
  const other = await context.newPage();
  for (const tab of [page, other]) await tab.goto(`/orders/${order}`);
  await expect(other.getByRole("timer")).toBeVisible();
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(other.getByText("This order was cancelled.")).toBeVisible();
});
