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
  for (let number = 1; number <= 22; number += 1) {
    await seller.call("POST", "/api/tickets", { title: `${name} ${number}`, price: "10" });
  }
  await seller.sells(`${name} last`);
  await page.goto("/");
  const titles = page.getByRole("article").getByRole("heading");
  await expect(titles).toHaveCount(20);
  const before = await titles.allTextContents();
  await page.getByRole("button", { name: "Show more" }).click();
  await expect.poll(() => titles.count()).toBeGreaterThan(20);
  const after = await titles.allTextContents();
  expect(after.slice(0, 20)).toEqual(before);
  await page.getByLabel("Search in what is loaded").or(page.getByLabel("Search")).fill(`${name} last`);
  await expect(titles).toHaveText([`${name} last`]);
});
