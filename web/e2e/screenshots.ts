/** `make screenshots`: takes the pictures in the README during two purchases. */

import type { BrowserContextOptions, Page } from "@playwright/test";
import { CARDS, expect, payWith, TestUser, test } from "./fixtures";

const FOLDER = "../docs/screenshots";
const DESKTOP: BrowserContextOptions = { viewport: { width: 1120, height: 780 }, colorScheme: "light" };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 760 },
  colorScheme: "dark",
  isMobile: true,
};

async function shoot(page: Page, name: string): Promise<void> {
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${FOLDER}/${name}.png`, animations: "disabled", caret: "hide" });
}

test("screenshots", async ({ browser }) => {
  const seller = await TestUser.signUp("seller");
  const buyer = await TestUser.signUp("buyer");
  const tickets: [title: string, price: string][] = [
    ["Chamber music at noon, balcony", "18.50"],
    ["Cup final, block 112, row 8", "120.00"],
    ["Open-air cinema, Friday", "9.00"],
    ["Nina Simone tribute, front row", "45.00"],
  ];
  for (const [title, price] of tickets) await seller.createTicket(title, price);
  // A first purchase, so that no function has a cold start during the pictures.
  await buyer.pay(await buyer.placeOrder(await seller.createTicket("Matinée, box 3", "30.00")));

  for (const [device, options] of [["desktop", DESKTOP] as const, ["phone", PHONE] as const]) {
    const context = await browser.newContext({ ...options, locale: "en-US", timezoneId: "UTC" });
    await buyer.signInTo(context);
    const page = await context.newPage();
    await page.goto("/");
    await expect(page.getByRole("article")).toHaveCount(tickets.length);
    await shoot(page, `on-sale-${device}`);
    await page.getByRole("link", { name: device === "desktop" ? "Nina Simone" : "Open-air cinema" }).click();
    await page.getByRole("button", { name: /^Buy/ }).click();
    await expect(page.getByLabel("Card number")).toBeVisible();
    await shoot(page, `order-${device}`);
    await payWith(page, CARDS.accepted);
    await expect(page.getByText("It’s yours.")).toBeVisible();
    await shoot(page, `yours-${device}`);
    await context.close();
    if (device === "desktop") await seller.createTicket("Nina Simone tribute, front row", "45.00");
  }
});
