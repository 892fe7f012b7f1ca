import { expect, test, uniqueTitle } from "./fixtures";

test("every page can be reloaded and has a title", async ({ page, context, seller }) => {
  const name = uniqueTitle("Reload");
  const ticket = await seller.createTicket(name);
  await seller.signInTo(context);
  const pages: [path: string, heading: string, title: string][] = [
    ["/", "Tickets on sale", "Tickets on sale"],
    [`/tickets/${ticket}`, name, name],
    [`/tickets/${ticket}/edit`, "Edit your ticket", `Edit ${name}`],
    ["/sell", "Sell a ticket", "Sell a ticket"],
    ["/selling", "My tickets", "My tickets"],
    ["/orders", "My orders", "My orders"],
    ["/docs", "The API", "API"],
    ["/no/such/page", "Page not found", "Not found"],
    ["/tickets/01KARTQ2M8Z6V3N4J5X7C9E1F2", "Ticket not found", "Not found"],
    ["/orders/01KARTQ2M8Z6V3N4J5X7C9E1F2", "Order not found", "Not found"],
  ];
  for (const [path, heading, pageTitle] of pages) {
    await page.goto(path);
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await expect(page).toHaveTitle(`${pageTitle} · Admit One`);
  }
});

test("the sign-in pages can be reloaded", async ({ page }) => {
  for (const name of ["Sign in", "Sign up"]) {
    await page.goto(`/${name.toLowerCase().replace(" ", "")}`);
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  }
});

test("the first page loads neither Stripe, nor the API reference, nor other sites", async ({ page }) => {
  const requested: string[] = [];
  page.on("request", (request) => requested.push(request.url()));
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Tickets on sale" })).toBeVisible();
  const origin = new URL(page.url()).origin;
  expect(requested.filter((url) => !url.startsWith(origin))).toEqual([]);
  expect(requested.filter((url) => /Docs|Payment|openapi/.test(url))).toEqual([]);
});

test("the Content-Security-Policy blocks inline scripts and styles", async ({ browser }) => {
  // A new context, because the fixture fails a test on violations in its own contexts.
  const page = await (await browser.newContext()).newPage();
  const logged: string[] = [];
  page.on("console", (message) => logged.push(message.text()));
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Tickets on sale" })).toBeVisible();
  const seen = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'ran'";
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(script, style);
    return [document.title, getComputedStyle(document.body).display];
  });
  expect(seen).toEqual(["Tickets on sale · Admit One", "block"]);
  expect(logged.filter((text) => text.includes("Content Security Policy"))).toHaveLength(2);
});

test("empty lists say so", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  await page.route("**/api/tickets?*", (route) => route.fulfill({ json: { tickets: [], nextCursor: null } }));
  await page.goto("/");
  await expect(page.getByText("No tickets are on sale right now.")).toBeVisible();
  await page.getByRole("link", { name: "My tickets" }).click();
  await expect(page.getByText("You have not put any tickets on sale yet.")).toBeVisible();
  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page.getByText("You have no orders yet.")).toBeVisible();
});

test("the API reference shows calls and can make them", async ({ page }) => {
  await page.goto("/docs");
  const call = page.locator("#operations-tickets-list_on_sale");
  await call.getByRole("button", { name: /The tickets on sale now/ }).click();
  await call.getByRole("button", { name: "Execute" }).click();
  await expect(call.locator(".live-responses-table")).toContainText('"nextCursor"');
});
