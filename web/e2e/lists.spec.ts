import type { Page } from "@playwright/test";
import { expect, test, uniqueTitle } from "./fixtures";

/** Reduces the page size to two tickets. Returns the URLs requested so far. */
async function loadPagesOfTwo(page: Page): Promise<string[]> {
  const requested: string[] = [];
  await page.route("**/api/tickets?*", (route) => {
    const url = route.request().url().replace("limit=20", "limit=2");
    requested.push(url);
    return route.continue({ url });
  });
  return requested;
}

test("Back restores the list with its pages, scroll position and search", async ({ page, seller }) => {
  const name = uniqueTitle("Many");
  for (const row of ["a", "b", "c", "d", "e", "f"]) await seller.createTicket(`${name} row-${row}`);
  await page.setViewportSize({ width: 400, height: 400 });
  const requested = await loadPagesOfTwo(page);
  await page.goto("/");
  const tickets = page.getByRole("article");
  for (const count of [4, 6]) {
    await page.getByRole("button", { name: "Show more" }).click();
    await expect(tickets).toHaveCount(count);
  }
  await tickets.nth(5).scrollIntoViewIfNeeded();
  const scrollY = await page.evaluate(() => window.scrollY);
  expect(scrollY).toBeGreaterThan(200);
  expect(requested).toHaveLength(3);
  // Tests that run at the same time may have put newer tickets on sale, so the sixth need not be one of this test's.
  const link = tickets.nth(5).getByRole("link");
  const title = (await link.textContent()) ?? "";
  await link.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
  await page.waitForTimeout(2500); // longer than the stale time of the list
  await page.goBack();
  await expect(tickets).toHaveCount(6);
  expect(await page.evaluate(() => window.scrollY)).toBe(scrollY);
  // Focusing the window does not refetch the pages either.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForTimeout(300);
  expect(requested).toHaveLength(3);

  await page.getByLabel(/^Search/).pressSequentially(`${name} row-e`);
  await expect(tickets).toHaveCount(1);
  await tickets.getByRole("link").click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`${name} row-e`);
  await page.goBack();
  await expect(page.getByLabel(/^Search/)).toHaveValue(`${name} row-e`);
  await expect(tickets).toHaveCount(1);
  await page.getByRole("link", { name: "On sale", exact: true }).click();
  await expect(page.getByLabel(/^Search/)).toHaveValue("");
  await expect(page).toHaveURL("/");
});

test("empty pages are skipped, up to a limit", async ({ page, seller }) => {
  const name = uniqueTitle("Behind");
  await seller.createTicket(name);
  let empty = 2;
  await page.route("**/api/tickets?*", (route) => {
    if (empty === 0)
      return route.continue({
        url: route
          .request()
          .url()
          .replace(/&cursor=.*/, ""),
      });
    empty -= 1;
    return route.fulfill({ json: { tickets: [], nextCursor: `page-${empty}` } });
  });
  await page.goto("/");
  await expect(page.getByRole("link", { name })).toBeVisible();
  empty = 100;
  await page.reload();
  await expect(page.getByText("No tickets found so far.")).toBeVisible();
  await expect(page.getByText("No tickets are on sale right now.")).toHaveCount(0);
  empty = 0;
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByRole("link", { name })).toBeVisible();
});

test("an invalid id is not found, without an API call", async ({ page, context, seller }) => {
  await seller.signInTo(context);
  const requested: string[] = [];
  page.on("request", (request) => requested.push(new URL(request.url()).pathname));
  for (const path of ["/tickets/mine", "/tickets/mine/edit", "/orders/mine", "/tickets/%5C"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { name: /not found$/ })).toBeVisible();
  }
  expect(requested.filter((path) => /^\/api\/(tickets|orders)/.test(path))).toEqual([]);
});

test("right-to-left text is shown right to left", async ({ page, seller }) => {
  const name = uniqueTitle("הצגה בתיאטרון");
  await seller.createTicket(name);
  await page.goto("/");
  const heading = page.getByRole("heading", { name });
  await expect(heading).toHaveCSS("direction", "rtl");
  await page.getByLabel(/^Search/).fill("הצגה");
  await expect(page.getByLabel(/^Search/)).toHaveCSS("direction", "rtl");
});
