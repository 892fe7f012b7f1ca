import type { Page } from "@playwright/test";
import { expect, test, title } from "./market";

const BROKEN = {
  status: 500,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "urn:admit-one:problem:internal_error",
    title: "Internal Server Error",
    status: 500,
    detail: "something went wrong",
    code: "internal_error",
    errors: [{ message: "something went wrong" }],
    requestId: "req-42",
  }),
};

test("every page is there after a reload, and says what it is in its title", async ({
  page,
  context,
  seller,
}) => {
  const name = title("Reload");
  const ticket = await seller.sells(name);
  await seller.entersWith(context);
  const pages: [path: string, heading: string, title: string][] = [
    ["/", "Tickets on sale", "Tickets on sale"],
    [`/tickets/${ticket}`, name, name],
    [`/tickets/${ticket}/edit`, "Edit your ticket", `Edit ${name}`],
    ["/sell", "Sell a ticket", "Sell a ticket"],
    ["/selling", "My tickets", "My tickets"],
    ["/orders", "My orders", "My orders"],
    ["/docs", "The API", "API"],
    ["/no/such/page", "There is no such page", "Not found"],
    ["/tickets/01KARTQ2M8Z6V3N4J5X7C9E1F2", "There is no such ticket", "Not found"],
    ["/orders/01KARTQ2M8Z6V3N4J5X7C9E1F2", "There is no such order", "Not found"],
  ];
  for (const [path, heading, pageTitle] of pages) {
    await page.goto(path);
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expect(page).toHaveTitle(`${pageTitle} · Admit One`);
  }
});

test("the sign-in pages are there after a reload", async ({ page }) => {
  for (const name of ["Sign in", "Sign up"]) {
    await page.goto(`/${name.toLowerCase().replace(" ", "")}`);
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  }
});

test("the first page is light: nothing of Stripe’s, of the API’s document or from elsewhere", async ({
  page,
}) => {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Tickets on sale" })).toBeVisible();
  const origin = new URL(page.url()).origin;
  expect(asked.filter((url) => !url.startsWith(origin))).toEqual([]);
  expect(asked.filter((url) => /Docs|Payment|openapi/.test(url))).toEqual([]);
});

const READS: [page: string, call: string, path: (ticket: string, order: string) => string][] = [
  ["the tickets on sale", "**/api/tickets?*", () => "/"],
  ["a ticket", "**/api/tickets/*", (ticket) => `/tickets/${ticket}`],
  ["my tickets", "**/api/tickets/mine?*", () => "/selling"],
  ["my orders", "**/api/orders?*", () => "/orders"],
  ["an order", "**/api/orders/*", (_, order) => `/orders/${order}`],
  ["who is signed in", "**/api/users/currentuser", () => "/orders"],
];
for (const [name, call, path] of READS) {
  test(`where ${name} cannot be read the page says why, and a retry shows it`, async ({
    page,
    context,
    seller,
    buyer,
  }) => {
    const ticket = await seller.sells(title("Unreadable"));
    const order = await buyer.orders(ticket);
    await buyer.entersWith(context);
    await page.route(call, (route) => route.fulfill(BROKEN));
    await page.goto(path(ticket, order));
    await expect(page.getByRole("alert")).toContainText("Something went wrong on our side");
    await expect(page.getByRole("alert")).toContainText("req-42");
    await page.unroute(call);
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.getByRole("alert")).toHaveCount(0);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  });
}

test("without a connection what is shown stays, and is said to be out of date", async ({
  page,
  context,
  seller,
}) => {
  const name = title("Offline");
  const ticket = await seller.sells(name);
  await page.goto("/");
  await expect(page.getByRole("link", { name })).toBeVisible();
  await context.setOffline(true);
  await expect(page.getByText("You are offline.")).toBeVisible();
  await page.getByRole("link", { name }).click();
  await expect(page.getByRole("alert")).toContainText("No connection");
  await context.setOffline(false);
  await expect(page.getByText("You are offline.")).toBeHidden();
  await page
    .getByRole("button", { name: "Try again" })
    .or(page.getByRole("heading", { name }))
    .first()
    .click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page).toHaveURL(`/tickets/${ticket}`);
});

/** Lets a write reach the API, and loses its answer. */
async function loseAnswers(page: Page, call: string, times: number): Promise<string[]> {
  const keys: string[] = [];
  await page.route(call, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.push(route.request().headers()["idempotency-key"] ?? "");
    if (keys.length > times) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  return keys;
}

test("an order whose answer is lost is asked for again, and placed once", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Lost answer"));
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}`);
  const keys = await loseAnswers(page, "**/api/orders", 2);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  const { body } = await buyer.call("GET", "/api/orders");
  expect(body.orders).toHaveLength(1);
});

test("a ticket whose answer stays lost is put on sale once, however often one tries", async ({
  page,
  context,
  seller,
}) => {
  await seller.entersWith(context);
  await page.goto("/sell");
  const name = title("Once");
  await page.getByLabel("What is it for?").fill(name);
  await page.getByLabel(/^Price/).fill("10");
  const keys = await loseAnswers(page, "**/api/tickets", 3);
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByRole("alert")).toContainText("What you typed is still here.");
  await page.getByRole("button", { name: "Put it on sale" }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  expect(new Set(keys).size).toBe(1);
  const { body } = await seller.call("GET", "/api/tickets/mine");
  expect(body.tickets).toHaveLength(1);
});

test("a double click orders once", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.sells(title("Double click"));
  await buyer.entersWith(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).dblclick();
  await expect(page.getByRole("timer")).toBeVisible();
  const { body } = await buyer.call("GET", "/api/orders");
  expect(body.orders).toHaveLength(1);
});

test("an order right after the sale waits for the news of the ticket", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const ticket = await seller.sells(title("Fresh"));
  await buyer.entersWith(context);
  let refusals = 0;
  await page.route("**/api/orders", (route) => {
    if (route.request().method() !== "POST" || refusals === 2) return route.continue();
    refusals += 1;
    return route.fulfill({
      status: 404,
      contentType: "application/problem+json",
      headers: { "Retry-After": "1" },
      body: JSON.stringify({ ...JSON.parse(BROKEN.body), status: 404, code: "ticket_not_found" }),
    });
  });
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
  expect(refusals).toBe(2);
});

test("an empty market, an empty list of tickets and of orders say what to do", async ({
  page,
  context,
  buyer,
}) => {
  await buyer.entersWith(context);
  await page.route("**/api/tickets?*", (route) => route.fulfill({ json: { tickets: [], nextCursor: null } }));
  await page.goto("/");
  await expect(page.getByText("Nothing is on sale right now.")).toBeVisible();
  await page.getByRole("link", { name: "My tickets" }).click();
  await expect(page.getByText("You have put nothing on sale yet.")).toBeVisible();
  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page.getByText("You have ordered nothing yet.")).toBeVisible();
});

test("the API’s document can be read and tried", async ({ page, seller }) => {
  const name = title("Documented");
  await seller.sells(name);
  await page.goto("/docs");
  const call = page.locator("#operations-tickets-list_on_sale");
  await call.getByRole("button", { name: /The tickets on sale now/ }).click();
  await call.getByRole("button", { name: "Execute" }).click();
  await expect(call.locator(".live-responses-table")).toContainText(name);
});
