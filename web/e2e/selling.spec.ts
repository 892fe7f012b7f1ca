import { expect, test, title } from "./market";

test("a seller puts a ticket on sale, edits it, and withdraws it", async ({ page, context, seller }) => {
  await seller.entersWith(context);
  const name = title("Opera");
  await page.goto("/sell");
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByText("Say what the ticket is for.")).toBeVisible();
  await expect(page.getByLabel("What is it for?")).toBeFocused();
  await page.getByLabel("What is it for?").fill(name);
  await page.getByLabel(/^Price/).fill("0.10");
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByRole("alert")).toContainText("Please correct what is marked below.");
  await expect(page.getByLabel(/^Price/)).toHaveAccessibleDescription(/0\.50/);
  await page.getByLabel(/^Price/).fill("20,5");
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$20.50");
  await expect(page.getByRole("button", { name: /^Buy/ })).toHaveCount(0);

  await page.getByRole("link", { name: "Edit" }).click();
  await expect(page.getByLabel("Price in USD")).toHaveValue("20.50");
  await page.getByLabel("Price in USD").fill("25");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("article")).toContainText("$25.00");

  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("button", { name: "Keep it on sale" }).click();
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("button", { name: "Withdraw it" }).click();
  await expect(page.getByText("You have taken this ticket off sale.")).toBeVisible();
  await page.getByRole("link", { name: "My tickets" }).click();
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Withdrawn");
});

test("an edit is refused while a buyer holds the ticket, and the form says why", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Held"));
  await seller.entersWith(context);
  await page.goto(`/tickets/${ticket}/edit`);
  await expect(page.getByLabel("Price in USD")).toBeVisible();
  await buyer.orders(ticket);
  await expect
    .poll(async () => (await seller.call("GET", `/api/tickets/${ticket}`)).body.status)
    .toBe("reserved");
  await page.getByLabel("Price in USD").fill("99");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("A buyer has just taken this ticket.");
  await expect(page.getByLabel("Price in USD")).toHaveValue("99");
  await page.reload();
  await expect(page.getByText("A buyer holds this ticket, so it can’t be edited now.")).toBeVisible();
  await page.getByRole("link", { name: "Back to the ticket" }).click();
  await expect(page.getByText("A buyer holds your ticket.")).toBeVisible();
});

test("somebody else’s ticket cannot be edited", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.sells(title("Not yours"));
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}/edit`);
  await expect(page.getByText("This is somebody else’s ticket.")).toBeVisible();
});

test("more tickets come by the button, newest first", async ({ page, seller }) => {
  const name = title("Many");
  for (const number of [1, 2, 3, 4]) await seller.sells(`${name} ${number}`);
  // Pages of two, so that four tickets are several pages.
  await page.route("**/api/tickets?*", (route) =>
    route.continue({ url: route.request().url().replace("limit=20", "limit=2") }),
  );
  await page.goto("/");
  const titles = page.getByRole("article").getByRole("heading");
  await expect(titles).toHaveCount(2);
  const before = await titles.allTextContents();
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(titles).toHaveCount(4);
  expect((await titles.allTextContents()).slice(0, 2)).toEqual(before);
  await page.getByLabel(/^Search/).fill(before[0] ?? "");
  await expect(titles.first()).toHaveText(before[0] ?? "");
  await page.getByLabel(/^Search/).fill("no ticket is called this");
  await expect(page.getByText("No ticket here is called")).toBeVisible();
});

test("an edit does not restore what was changed elsewhere: the form shows both, and its seller decides", async ({
  page,
  context,
  seller,
}) => {
  const name = title("Two devices");
  const ticket = await seller.sells(name, "10.00");
  await seller.entersWith(context);
  await page.goto(`/tickets/${ticket}/edit`);
  const [what, price] = [page.getByLabel("What is it for?"), page.getByLabel("Price in USD")];
  await what.fill(`${name}, row 1`);
  const { status } = await seller.call("PUT", `/api/tickets/${ticket}`, { title: name, price: "100.00" });
  expect(status).toBe(200);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("This ticket was changed elsewhere meanwhile.");
  await expect(price).toHaveValue("100.00");
  await expect(what).toHaveValue(`${name}, row 1`);
  await page.getByRole("button", { name: "the old one: 10.00" }).click();
  await expect(price).toHaveValue("10.00");
  await page.getByRole("button", { name: "the new one: 100.00" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: `${name}, row 1` })).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$100.00");
});

test("a change that is not decided at once is asked about until it is, as one change", async ({
  page,
  context,
  seller,
}) => {
  const name = title("Undecided");
  const ticket = await seller.sells(name, "10.00");
  const { body } = await seller.call("GET", `/api/tickets/${ticket}`);
  const pendingChange = { title: name, price: "12.00", withdrawn: false };
  await seller.entersWith(context);
  await page.goto(`/tickets/${ticket}/edit`);
  await page.getByLabel("Price in USD").fill("12");
  const keys: (string | undefined)[] = [];
  await page.route(`**/api/tickets/${ticket}`, (route) => {
    if (route.request().method() !== "PUT") return route.continue();
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 2) return route.continue();
    return route.fulfill({ status: 202, headers: { "Retry-After": "1" }, json: { ...body, pendingChange } });
  });
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Your change is being made.")).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$12.00");
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});
