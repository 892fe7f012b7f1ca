import { expect, test, title } from "./market";

for (const path of ["/sell", "/selling", "/orders"]) {
  test(`${path} asks to sign in first, and one is there afterwards`, async ({ page, buyer }) => {
    await page.goto(path);
    await expect(page).toHaveURL(`/signin?next=${encodeURIComponent(path)}`);
    await page.getByLabel("E-mail").fill(buyer.email);
    await page.getByLabel("Password").fill("a wrong one");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("That e-mail and password don’t go together.");
    await page.getByLabel("Password").fill(buyer.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(path);
    await expect(page.getByText(buyer.email)).toBeVisible();
  });
}

test("another’s order is not found", async ({ page, context, seller, buyer }) => {
  const order = await buyer.orders(await seller.sells(title("Private")));
  await seller.entersWith(context);
  await page.goto(`/orders/${order}`);
  await expect(page.getByRole("heading", { name: "There is no such order" })).toBeVisible();
});

test("an e-mail that is in use, and a password that is too short, are refused by name", async ({
  page,
  buyer,
}) => {
  await page.goto("/signup");
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByText("Take at least 8 characters.")).toBeVisible();
  await page.getByLabel("Password").fill("long enough");
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByRole("alert")).toContainText("Somebody has signed up with this e-mail.");
});

test("signing out forgets what was shown, in every tab", async ({ page, context, buyer }) => {
  await buyer.entersWith(context);
  const other = await context.newPage();
  await other.goto("/orders");
  await expect(other.getByText("You have ordered nothing yet.")).toBeVisible();
  await page.goto("/selling");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/");
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  await expect(other).toHaveURL("/signin?next=%2Forders");
});

test("a session that has ended leads to signing in, and back", async ({ page, context, buyer }) => {
  await buyer.entersWith(context);
  await page.goto("/");
  await expect(page.getByText(buyer.email)).toBeVisible();
  await context.clearCookies();
  await page.getByRole("link", { name: "My orders" }).click();
  await expect(page).toHaveURL("/signin?next=%2Forders");
});

test("until it is known who is signed in, nobody is shown as signed out", async ({
  page,
  context,
  buyer,
}) => {
  await buyer.entersWith(context);
  let answer = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route("**/api/users/currentuser", async (route) => {
    await isAsked;
    await route.continue();
  });
  await page.goto("/selling");
  await expect(page.getByRole("link", { name: "My tickets" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Sign in" })).toHaveCount(0);
  await expect(page).toHaveURL("/selling");
  answer();
  await expect(page.getByText(buyer.email)).toBeVisible();
});

test("a link from elsewhere cannot lead out of the client after signing in", async ({ page, buyer }) => {
  await page.goto("/signin?next=//evil.example/");
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill(buyer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(buyer.email)).toBeVisible();
  await expect(page).toHaveURL("/");
});

test("what a password manager fills in without a word is sent", async ({ page, buyer }) => {
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

test("an address of another script stays as it is typed, and the cursor where it was", async ({ page }) => {
  await page.goto("/signin");
  const field = page.getByLabel("E-mail");
  await field.pressSequentially("jö@müller.example");
  for (let step = 0; step < 3; step += 1) await page.keyboard.press("ArrowLeft");
  await page.keyboard.type("ü");
  await expect(field).toHaveValue("jö@müller.examüple");
});

test("a long password is refused with its length, not cut", async ({ page }) => {
  const email = `long-${Date.now()}@example.com`;
  await page.goto("/signup");
  await expect(page.getByLabel("Password")).toHaveAccessibleDescription(/8 to 128 characters/);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("x".repeat(140));
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByText("Passwords have at most 128 characters. This has 140.")).toBeVisible();
  await page.getByLabel("Password").fill("🎫".repeat(128));
  await page.getByRole("button", { name: "Sign up" }).click();
  await expect(page.getByText(email)).toBeVisible();
});
