import type { Page } from "@playwright/test";
import { expect, test, title } from "./market";

/** Pages of two entries, so that a few tickets are several pages. */
async function inPagesOfTwo(page: Page): Promise<string[]> {
  const asked: string[] = [];
  await page.route("**/api/tickets?*", (route) => {
    const url = route.request().url().replace("limit=20", "limit=2");
    asked.push(url);
    return route.continue({ url });
  });
  return asked;
}

test("Back finds the list as it was: what was loaded, how far it was scrolled, and what was searched for", async ({
  page,
  seller,
}) => {
  const name = title("Many");
  for (const row of ["a", "b", "c", "d", "e", "f"]) await seller.sells(`${name} row-${row}`);
  await page.setViewportSize({ width: 400, height: 400 });
  const asked = await inPagesOfTwo(page);
  await page.goto("/");
  const tickets = page.getByRole("article");
  for (const count of [4, 6]) {
    await page.getByRole("button", { name: "Show more" }).click();
    await expect(tickets).toHaveCount(count);
  }
  await tickets.nth(5).scrollIntoViewIfNeeded();
  const place = await page.evaluate(() => window.scrollY);
  expect(place).toBeGreaterThan(200);
  expect(asked).toHaveLength(3);
  await tickets.nth(5).getByRole("link").click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(name);
  await page.waitForTimeout(2500); // longer than the list counts as fresh
  await page.goBack();
  await expect(tickets).toHaveCount(6);
  expect(await page.evaluate(() => window.scrollY)).toBe(place);
  // Nor does a window that gets the focus load again all that was loaded.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForTimeout(300);
  expect(asked).toHaveLength(3);

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

test("a page without entries is passed over; many of them leave it to the reader", async ({
  page,
  seller,
}) => {
  const name = title("Behind");
  await seller.sells(name);
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
  await expect(page.getByText("Nothing on sale was found so far.")).toBeVisible();
  await expect(page.getByText("Nothing is on sale right now.")).toHaveCount(0);
  empty = 0;
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByRole("link", { name })).toBeVisible();
});

test("a word in place of an id is not found, without a call that means something else", async ({
  page,
  context,
  seller,
}) => {
  await seller.entersWith(context);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  for (const path of ["/tickets/mine", "/tickets/mine/edit", "/orders/mine", "/tickets/%5C"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { name: /^There is no such/ })).toBeVisible();
  }
  expect(asked.filter((path) => /^\/api\/(tickets|orders)/.test(path))).toEqual([]);
});

test("what is written from right to left is shown so", async ({ page, seller }) => {
  const name = title("הצגה בתיאטרון");
  await seller.sells(name);
  await page.goto("/");
  const heading = page.getByRole("heading", { name });
  await expect(heading).toHaveCSS("direction", "rtl");
  await page.getByLabel(/^Search/).fill("הצגה");
  await expect(page.getByLabel(/^Search/)).toHaveCSS("direction", "rtl");
});
