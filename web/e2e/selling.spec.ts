import { expect, test, uniqueTitle } from "./fixtures";

test("a seller creates, edits and withdraws a ticket", async ({ page, context, seller }) => {
  await seller.signInTo(context);
  const name = uniqueTitle("Opera");
  await page.goto("/sell");
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByText("Enter a title.")).toBeVisible();
  await expect(page.getByLabel("Title")).toBeFocused();
  await page.getByLabel("Title").fill(name);
  await page.getByLabel(/^Price/).fill("0.10");
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByRole("alert")).toContainText("Please correct the marked fields.");
  await expect(page.getByLabel(/^Price/)).toHaveAccessibleDescription(/0\.50/);
  await page.getByLabel(/^Price/).fill("20,5");
  await expect(page.getByText("You get $19.48 ($20.50 less a fee of $1.02).")).toBeVisible();
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$20.50");
  await expect(page.getByRole("button", { name: /^Buy/ })).toHaveCount(0);

  await page.getByRole("link", { name: "Edit" }).click();
  await expect(page.getByLabel("Price in USD")).toHaveValue("20.50");
  await expect(page.getByText("You get $19.48 ($20.50 less a fee of $1.02).")).toBeVisible();
  await page.getByLabel("Price in USD").fill("25");
  await expect(page.getByText("You get $23.75 ($25.00 less a fee of $1.25).")).toBeVisible();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("article")).toContainText("$25.00");

  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("button", { name: "Keep it on sale" }).click();
  await page.getByRole("button", { name: "Withdraw" }).click();
  await page.getByRole("button", { name: "Withdraw it" }).click();
  await expect(page.getByText("You have withdrawn this ticket.")).toBeVisible();
  await page.getByRole("link", { name: "My tickets" }).click();
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("Withdrawn");
});

test("a held ticket cannot be edited", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Held"));
  await seller.signInTo(context);
  await page.goto(`/tickets/${ticket}/edit`);
  await expect(page.getByLabel("Price in USD")).toBeVisible();
  await buyer.placeOrder(ticket);
  await expect
    .poll(async () => (await seller.call("GET", `/api/tickets/${ticket}`)).body.status)
    .toBe("reserved");
  await page.getByLabel("Price in USD").fill("99");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("A buyer has just ordered this ticket.");
  await expect(page.getByLabel("Price in USD")).toHaveValue("99");
  await page.reload();
  await expect(page.getByText("A buyer is holding this ticket, so it can’t be edited now.")).toBeVisible();
  await page.getByRole("link", { name: "Back to the ticket" }).click();
  await expect(page.getByText("A buyer is holding your ticket.")).toBeVisible();
});

test("another seller’s ticket cannot be edited", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Not yours"));
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}/edit`);
  await expect(page.getByText("This ticket belongs to another seller.")).toBeVisible();
});

test("the list is paginated, newest first", async ({ page, seller }) => {
  const name = uniqueTitle("Many");
  for (const number of [1, 2, 3, 4]) await seller.createTicket(`${name} ${number}`);
  // Reduce the page size to two tickets.
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
  await page.getByLabel(/^Search/).fill("no ticket has this title");
  await expect(page.getByText("No tickets match")).toBeVisible();
});

test("an edit conflict shows both values, and the seller chooses", async ({ page, context, seller }) => {
  const name = uniqueTitle("Two devices");
  const ticket = await seller.createTicket(name, "10.00");
  await seller.signInTo(context);
  await page.goto(`/tickets/${ticket}/edit`);
  const [titleField, price] = [page.getByLabel("Title"), page.getByLabel("Price in USD")];
  await titleField.fill(`${name}, row 1`);
  const { status } = await seller.call("PUT", `/api/tickets/${ticket}`, { title: name, price: "100.00" });
  expect(status).toBe(200);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert")).toContainText("This ticket was changed elsewhere in the meantime.");
  await expect(price).toHaveValue("100.00");
  await expect(titleField).toHaveValue(`${name}, row 1`);
  await page.getByRole("button", { name: "Old: 10.00" }).click();
  await expect(price).toHaveValue("10.00");
  await page.getByRole("button", { name: "New: 100.00" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: `${name}, row 1` })).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$100.00");
});

test("a pending edit is repeated with one idempotency key until it is decided", async ({
  page,
  context,
  seller,
}) => {
  const name = uniqueTitle("Undecided");
  const ticket = await seller.createTicket(name, "10.00");
  const { body } = await seller.call("GET", `/api/tickets/${ticket}`);
  const pendingChange = { title: name, price: "12.00", withdrawn: false };
  await seller.signInTo(context);
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
  await expect(page.getByText("Your change is being processed.")).toBeVisible();
  await expect(page.getByRole("article")).toContainText("$12.00");
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});

test("after an edit the seller reads tickets past the edge’s cache", async ({ page, context, seller }) => {
  const name = uniqueTitle("Not from the cache");
  const ticket = await seller.createTicket(name, "10.00");
  await seller.signInTo(context);
  await page.goto("/");
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("$10.00");
  await page.goto(`/tickets/${ticket}/edit`);
  await page.getByLabel("Price in USD").fill("12");
  const reads: (string | undefined)[] = [];
  page.on("request", (request) => {
    const isTicket = /\/api\/tickets(\?|\/[^/?]+$)/.test(request.url());
    if (isTicket && request.method() === "GET") reads.push(request.headers()["cache-control"]);
  });
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("article")).toContainText("$12.00");
  await page.getByRole("link", { name: "Admit One, tickets on sale" }).click();
  await expect(page.getByRole("article").filter({ hasText: name })).toContainText("$12.00");
  expect(reads.length).toBeGreaterThanOrEqual(2);
  expect(new Set(reads)).toEqual(new Set(["no-cache"]));
});

test("the seller’s own ticket replaces an older one from the cache", async ({ page, context, seller }) => {
  const ticket = await seller.createTicket(uniqueTitle("Another device"), "10.00");
  const { body: old } = await seller.call("GET", `/api/tickets/${ticket}`);
  await seller.call("PUT", `/api/tickets/${ticket}`, { title: String(old.title), price: "12.00" });
  await seller.signInTo(context);
  await page.route(`**/api/tickets/${ticket}`, (route) => route.fulfill({ json: old }));
  await page.goto(`/tickets/${ticket}`);
  await expect(page.getByRole("article")).toContainText("$12.00");
});
