import { expect, test, uniqueTitle } from "./fixtures";

for (const path of ["/sell", "/selling", "/orders"]) {
  test(`${path} requires sign-in and returns afterwards`, async ({ page, buyer }) => {
    await page.goto(path);
    await expect(page).toHaveURL(`/signin?next=${encodeURIComponent(path)}`);
    await page.getByLabel("E-mail").fill(buyer.email);
    await page.getByLabel("Password").fill("a wrong password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("The e-mail address or password is wrong.");
    await page.getByLabel("Password").fill(buyer.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(path);
    await expect(page.getByText(buyer.email)).toBeVisible();
  });
}

test("another user’s order is not found", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Private")));
  await seller.signInTo(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByRole("heading", { name: "Order not found" })).toBeVisible();
});

test("sign-up rejects an e-mail address in use and a short password", async ({ page, buyer }) => {
  await page.goto("/signup");
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByText("Use at least 8 characters.")).toBeVisible();
  await page.getByLabel("Password").fill("long enough");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("alert")).toContainText("An account with this e-mail address already exists.");
});

test("signing out removes private data in every tab", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  const other = await context.newPage();
  await other.goto("/orders");
  await expect(other.getByText("You have no orders yet.")).toBeVisible();
  await page.goto("/selling");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/");
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await expect(other).toHaveURL("/signin?next=%2Forders");
});

test("signing out on a slow device leads to the start page", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  await page.goto("/selling");
  const button = page.getByRole("button", { name: "Sign out" });
  await expect(button).toBeVisible();
  await page.route("**/api/users/signout", (route) => route.fulfill({ status: 204 }));
  const devTools = await context.newCDPSession(page);
  await devTools.send("Emulation.setCPUThrottlingRate", { rate: 20 });
  await button.click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await expect(page).toHaveURL("/");
});

test("an expired session leads to the sign-in page", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  await page.goto("/");
  await expect(page.getByText(buyer.email)).toBeVisible();
  await context.clearCookies();
  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page).toHaveURL("/signin?next=%2Forders");
});

test("no sign-in link or redirect before the user is known", async ({ page, context, buyer }) => {
  await buyer.signInTo(context);
  let release = (): void => undefined;
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/api/users/currentuser", async (route) => {
    await isReleased;
    await route.continue();
  });
  await page.goto("/selling");
  await expect(page.getByRole("link", { name: "My tickets" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Sign in" })).toHaveCount(0);
  await expect(page).toHaveURL("/selling");
  release();
  await expect(page.getByText(buyer.email)).toBeVisible();
});

test("sign-in does not redirect to another site", async ({ page, buyer }) => {
  await page.goto("/signin?next=//evil.example/");
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill(buyer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(buyer.email)).toBeVisible();
  await expect(page).toHaveURL("/");
});

test("values set by a password manager without events are sent", async ({ page, buyer }) => {
  await page.goto("/signin");
  await page.getByLabel("E-mail").evaluate((field: HTMLInputElement, text) => {
    field.value = text;
  }, buyer.email);
  await page.getByLabel("Password").evaluate((field: HTMLInputElement, text) => {
    field.value = text;
  }, buyer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(buyer.email)).toBeVisible();
});

test("an internationalised e-mail address is not altered during input", async ({ page }) => {
  await page.goto("/signin");
  const field = page.getByLabel("E-mail");
  await field.pressSequentially("jö@müller.example");
  for (let step = 0; step < 3; step += 1) await page.keyboard.press("ArrowLeft");
  await page.keyboard.type("ü");
  await expect(field).toHaveValue("jö@müller.examüple");
});

test("a password that is too long is rejected, not truncated", async ({ page }) => {
  const email = `long-${Date.now()}@example.com`;
  await page.goto("/signup");
  await expect(page.getByLabel("Password")).toHaveAccessibleDescription(/8 to 128 characters/);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("x".repeat(140));
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByText("Use at most 128 characters. This password has 140.")).toBeVisible();
  await page.getByLabel("Password").fill("🎫".repeat(128));
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("link", { name: email })).toBeVisible();
});
