import type { Page } from "@playwright/test";
import { expect, test, uniqueTitle } from "./fixtures";

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

const READS: [page: string, call: string, path: (ticket: string, order: string) => string][] = [
  ["the tickets on sale", "**/api/tickets?*", () => "/"],
  ["a ticket", "**/api/tickets/*", (ticket) => `/tickets/${ticket}`],
  ["my tickets", "**/api/tickets/mine?*", () => "/selling"],
  ["my orders", "**/api/orders?*", () => "/orders"],
  ["an order", "**/api/orders/*", (_, order) => `/orders/${order}`],
  ["the current user", "**/api/users/currentuser", () => "/orders"],
];
for (const [name, call, path] of READS) {
  test(`a failure to load ${name} is explained and can be retried`, async ({
    page,
    context,
    seller,
    buyer,
  }) => {
    const ticket = await seller.createTicket(uniqueTitle("Unreadable"));
    const order = await buyer.placeOrder(ticket);
    await buyer.signInTo(context);
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

test("offline, loaded content stays and is marked as out of date", async ({ page, context, seller }) => {
  const name = uniqueTitle("Offline");
  const ticket = await seller.createTicket(name);
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

/** Lets writes reach the API and drops the first responses. Returns the idempotency keys of all writes. */
async function loseResponses(page: Page, call: string, times: number): Promise<string[]> {
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

test("after lost responses, an order is placed once", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Lost response"));
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  const keys = await loseResponses(page, "**/api/orders", 2);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page.getByRole("timer")).toBeVisible();
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  const { body } = await buyer.call("GET", "/api/orders");
  expect(body.orders).toHaveLength(1);
});

test("an order without any response is found from its ticket", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("No response"));
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  await loseResponses(page, "**/api/orders", 3);
  await page.getByRole("button", { name: "Buy for $45.00" }).click();
  await expect(page.getByRole("alert")).toContainText("Trying again will not order it twice.");
  // The page offers one of the two, depending on whether Tickets has the hold yet. Both lead to the same order.
  const again = page.getByRole("button", { name: "Buy for $45.00" });
  await page.getByRole("link", { name: "Continue to payment" }).or(again).click();
  await expect(page.getByRole("timer")).toBeVisible();
  expect((await buyer.call("GET", "/api/orders")).body.orders).toHaveLength(1);
});

test("after repeated attempts without response, a ticket is created once", async ({
  page,
  context,
  seller,
}) => {
  await seller.signInTo(context);
  await page.goto("/sell");
  const name = uniqueTitle("Once");
  await page.getByLabel("Title").fill(name);
  await page.getByLabel(/^Price/).fill("10");
  const keys = await loseResponses(page, "**/api/tickets", 3);
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByRole("alert")).toContainText("What you typed is still here.");
  await page.getByRole("button", { name: "Put on sale" }).click();
  await expect(page.getByRole("heading", { name })).toBeVisible();
  expect(new Set(keys).size).toBe(1);
  const { body } = await seller.call("GET", "/api/tickets/mine");
  expect(body.tickets).toHaveLength(1);
});

test("a double click places one order", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Double click"));
  await buyer.signInTo(context);
  await page.goto(`/tickets/${ticket}`);
  await page.getByRole("button", { name: "Buy for $45.00" }).dblclick();
  await expect(page.getByRole("timer")).toBeVisible();
  const { body } = await buyer.call("GET", "/api/orders");
  expect(body.orders).toHaveLength(1);
});

test("an order is retried until Orders has the ticket", async ({ page, context, seller, buyer }) => {
  const ticket = await seller.createTicket(uniqueTitle("Fresh"));
  await buyer.signInTo(context);
  let rejections = 0;
  await page.route("**/api/orders", (route) => {
    if (route.request().method() !== "POST" || rejections === 2) return route.continue();
    rejections += 1;
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
  expect(rejections).toBe(2);
});
