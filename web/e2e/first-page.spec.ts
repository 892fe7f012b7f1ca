import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";

const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

/** The positions of what both the shell and the client show while the list of tickets on sale is loading. */
function positions(page: Page) {
  return page
    .locator(".skip, .brand > span, nav > a, .account, main, h1, .skeleton > span")
    .evaluateAll((elements) =>
      elements.map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return [element.localName, x, y, width, height];
      }),
    );
}

/** Responds with some tickets on sale. */
async function listTickets(page: Page, count: number): Promise<void> {
  const tickets = Array.from({ length: count }, (_, n) => ({
    id: `01KARTQ2M8Z6V3N4J5X7C9E1${String(n).padStart(2, "0")}`,
    title: `Row ${n}${", stalls, with a view of the whole stage".repeat(n % 3)}`,
    price: "45.00",
    currency: "usd",
    status: "available",
    userID: "01KARTQ2M8Z6V3N4J5X7C9E1F2",
    version: 1,
    createdAt: "2026-11-28T08:00:00Z",
  }));
  await page.route("**/api/tickets?*", (route) => route.fulfill({ json: { tickets, nextCursor: null } }));
}

/** Records layout shifts from the start of the next page. */
async function recordShifts(page: Page): Promise<() => Promise<number>> {
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        shifts.push((entry as PerformanceEntry & { value: number }).value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  return () =>
    page.evaluate(() =>
      (window as unknown as { shifts: number[] }).shifts.reduce((sum, value) => sum + value, 0),
    );
}

for (const [device, viewport] of Object.entries(SCREENS)) {
  test.describe(device, () => {
    test.use({ viewport });

    test("the first page is painted without a script, and nothing moves when the script runs", async ({
      browser,
      page,
    }) => {
      const withoutScripts = await (
        await browser.newContext({ javaScriptEnabled: false, viewport })
      ).newPage();
      await withoutScripts.goto("/");
      await expect(withoutScripts.getByRole("heading", { level: 1, name: "Tickets on sale" })).toBeVisible();
      await expect(withoutScripts.getByRole("link", { name: "My orders" })).toBeVisible();

      let run = () => {};
      const isHeld = new Promise<void>((resolve) => {
        run = resolve;
      });
      await page.route("**/assets/*.js", async (route) => {
        await isHeld;
        await route.continue();
      });
      await page.route("**/api/**", () => {}); // never answered
      await page.goto("/", { waitUntil: "commit" });
      await expect(page.locator(".skeleton")).toBeVisible();
      const before = await positions(page);
      expect(before.length).toBeGreaterThan(15);
      run();
      await expect(page.locator("footer")).toBeAttached();
      expect(await positions(page)).toEqual(before);
    });

    for (const count of [0, 1, 3, 20]) {
      test(`the layout is stable with ${count} tickets`, async ({ page }) => {
        await listTickets(page, count);
        const shifts = await recordShifts(page);
        await page.route("**/api/users/currentuser", async (route) => {
          await new Promise((resolve) => setTimeout(resolve, 300));
          await route.continue();
        });
        await page.goto("/");
        await expect(page.getByText(count === 0 ? "No tickets are on sale" : "Row 0").first()).toBeVisible();
        await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
        await expect(page.getByRole("contentinfo")).toBeVisible();
        await page.waitForTimeout(300);
        expect(await shifts()).toBeLessThanOrEqual(0.02);
      });
    }
  });
}

test("the list is requested before the script is loaded, and once", async ({ page }) => {
  const lists: string[] = [];
  const warnings: string[] = [];
  page.on("console", (message) => warnings.push(message.text()));
  const isRequested = page.waitForRequest((request) => {
    if (new URL(request.url()).pathname !== "/api/tickets") return false;
    lists.push(request.url());
    return true;
  });
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/api/tickets") lists.push(request.url());
  });
  await page.route("**/assets/*.js", async (route) => {
    await isRequested;
    await route.continue();
  });
  await page.goto("/");
  await expect(page.getByRole("contentinfo")).toBeVisible();
  await page.waitForTimeout(4000); // the browser warns about a preload that is not used within three seconds
  expect(lists).toHaveLength(2); // one request, recorded by both listeners
  expect(warnings).toEqual([]);
});

test("pages other than the first do not request the list", async ({ page }) => {
  const requested: string[] = [];
  page.on("request", (request) => requested.push(new URL(request.url()).pathname));
  await page.goto("/signin");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect(requested).toContain("/api/users/currentuser");
  expect(requested).not.toContain("/api/tickets");
});

test("a list that could not be loaded in advance is requested again", async ({ page }) => {
  let requests = 0;
  await page.route("**/api/tickets?*", (route) => {
    requests += 1;
    return requests === 1 ? route.abort("connectionreset") : route.continue();
  });
  await page.goto("/");
  await expect(page.getByRole("contentinfo")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
  expect(requests).toBe(2);
});

for (const [way, approach] of [
  ["the pointer", (page: Page) => page.getByRole("link", { name: "Sign in" }).hover()],
  ["the focus", (page: Page) => page.getByRole("link", { name: "Sign in" }).focus()],
] as const) {
  test(`the chunk of a page is loaded when its link gets ${way}`, async ({ page }) => {
    await page.goto("/");
    const loaded = page.waitForResponse(/assets\/SignIn-/);
    await approach(page);
    await loaded;
    await page.route("**/assets/*", (route) => route.abort());
    await page.getByRole("link", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Sign in" })).toBeVisible();
  });
}

test("a page whose chunk cannot be loaded says so, and can be tried again", async ({ page }) => {
  await page.goto("/");
  await page.route("**/assets/SignIn-*", (route) => route.abort("connectionreset"));
  await page.getByRole("link", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("This page could not be shown.");
  await expect(page.getByRole("link", { name: "On sale", exact: true })).toBeVisible();
  await page.unroute("**/assets/SignIn-*");
  await page.getByRole("button", { name: "Reload" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Sign in" })).toBeVisible();
});
