import { CARDS, expect, Person, payWith, test, title, WINDOW } from "./market";

test("of two browsers that buy one ticket at once, one gets it and the other is told", async ({
  browser,
  seller,
}) => {
  const ticket = await seller.sells(title("One seat"));
  const people = [await Person.newcomer("left"), await Person.newcomer("right")];
  const pages = await Promise.all(people.map((person) => person.browser(browser)));
  const buttons = pages.map((page) => page.getByRole("button", { name: "Buy for $45.00" }));
  for (const page of pages) await page.goto(`/tickets/${ticket}`);
  for (const button of buttons) await expect(button).toBeVisible();
  await Promise.all(buttons.map((button) => button.click()));

  const ends = await Promise.all(
    pages.map(async (page) => {
      const won = page.getByRole("timer");
      const lost = page.getByText("Somebody else was faster.");
      await expect(won.or(lost)).toBeVisible();
      return (await won.isVisible()) ? "won" : "lost";
    }),
  );
  expect(ends.toSorted()).toEqual(["lost", "won"]);
  const winner = pages[ends.indexOf("won")];
  const loser = pages[ends.indexOf("lost")];
  if (winner === undefined || loser === undefined) throw new Error("nobody won");
  await expect(loser.getByText("Held by a buyer")).toBeVisible();
  await expect(loser.getByRole("link", { name: "See what else is on sale" })).toBeVisible();

  // The hold ends, and the other's page offers the ticket again by itself.
  await winner.getByRole("button", { name: "Cancel the order" }).click();
  await expect(winner.getByText("This order has ended.")).toBeVisible();
  await loser.getByRole("button", { name: "Buy for $45.00" }).click();
  await payWith(loser, CARDS.pays);
  await expect(loser.getByText("It’s yours.")).toBeVisible();
});

test("an order that is not paid in time says so by itself, and somebody else buys the ticket", async ({
  browser,
  page,
  context,
  seller,
  buyer,
}) => {
  test.setTimeout((WINDOW + 90) * 1000);
  const ticket = await seller.sells(title("Slow buyer"));
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await page.getByLabel("Card number").fill(CARDS.pays);

  const other = await (await Person.newcomer("other")).browser(browser);
  await other.goto(`/tickets/${ticket}`);
  await expect(other.getByText("A buyer holds this ticket.")).toBeVisible();

  await expect(page.getByText("Your time to pay is up.")).toBeVisible({ timeout: (WINDOW + 10) * 1000 });
  await expect(page.getByText("You have not been charged.")).toBeVisible();
  await expect(page.getByLabel("Card number")).toBeHidden();

  await other.getByRole("button", { name: "Buy for $45.00" }).click();
  await payWith(other, CARDS.pays);
  await expect(other.getByText("It’s yours.")).toBeVisible();
  await expect(page.getByText("This order has ended.")).toBeVisible();
  await page.getByRole("link", { name: "Look at the ticket" }).click();
  await expect(page.getByText("This ticket is sold.")).toBeVisible();
});

test("a window that closes during 3-D Secure ends without a charge", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  test.setTimeout((WINDOW + 90) * 1000);
  const order = await buyer.orders(await seller.sells(title("Slow bank")));
  await buyer.entersWith(context);
  await page.goto(`/orders/${order}`);
  await payWith(page, CARDS.asksFor3DSecure);
  await expect(page.getByRole("dialog")).toBeVisible();
  await expect(page.getByText("Your time to pay is up.")).toBeVisible({ timeout: (WINDOW + 10) * 1000 });
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByText("You have not been charged.")).toBeVisible();
});

test("the countdown goes by the server’s clock, whatever the device’s says", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Wrong clock")));
  await buyer.entersWith(context);
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

test("whoever holds a ticket finds the way back to their order from it", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Lost tab"));
  const order = await buyer.orders(ticket);
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("link", { name: "Go on to pay" }).click();
  await expect(page).toHaveURL(`/orders/${order}`);
});

test("a price that has changed is shown before anything is ordered", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Dearer"), "10.00");
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByRole("button", { name: "Buy for $10.00" })).toBeVisible();
  await seller.call("PUT", `/api/tickets/${ticket}`, { title: title("Dearer"), price: "11.00" });
  // Until Orders has heard of the edit it sells at the old price: somebody tries, and lets go again.
  const scout = await Person.newcomer("scout");
  let held = "";
  await expect
    .poll(async () => {
      const { status, body } = await scout.call("POST", "/api/orders", { ticketID: ticket, price: "11.00" });
      held = String(body.id);
      return status;
    })
    .toBe(201);
  await scout.call("DELETE", `/api/orders/${held}`);
  await page.getByRole("button", { name: "Buy for $10.00" }).click();
  await expect(page.getByRole("alert")).toContainText("The price has changed. It is $11.00 now.");
  await page.getByRole("button", { name: "Buy for $11.00" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
});

test("two tabs agree: what one cancels, the other shows as ended", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Two tabs")));
  await buyer.entersWith(context);
  const other = await context.newPage();
  for (const tab of [page, other]) await tab.goto(`/orders/${order}`);
  await expect(other.getByRole("timer")).toBeVisible();
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(other.getByText("This order has ended.")).toBeVisible();
});
