import { expect, test } from "./market";

test("cookies of other sites sign nobody out, and signing out clears what is ours", async ({
  page,
  context,
  baseURL,
  buyer,
}) => {
  const url = String(baseURL);
  await context.addCookies([
    { name: "session", value: "abc.def.ghi", domain: new URL(url).hostname, path: "/api/" },
    { name: "session", value: "jkl.mno.pqr", domain: new URL(url).hostname, path: "/" },
  ]);
  await buyer.entersWith(context);
  await page.goto("/orders");
  await expect(page.getByText(buyer.email)).toBeVisible();
  await expect(page.getByText("You have ordered nothing yet.")).toBeVisible();
  const held = await context.cookies(url);
  expect(held.find(({ name }) => name === "admit-one")).toMatchObject({ httpOnly: true, secure: false });

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  expect(await context.cookies(url)).toEqual([]);
});

for (const encoding of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
  test(`a form of another site (${encoding}) signs nobody out`, async ({ page, context, baseURL, buyer }) => {
    await buyer.entersWith(context);
    await page.goto("/");
    await expect(page.getByText(buyer.email)).toBeVisible();
    // The same machine under another name: to a browser it is another site.
    const elsewhere = String(baseURL).replace("127.0.0.1", "localhost");
    await page.route(`${elsewhere}/forged`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<form method="post" enctype="${encoding}" action="${baseURL}/api/users/signout"><button>Win</button></form>`,
      }),
    );
    await page.goto(`${elsewhere}/forged`);
    const answered = page.waitForResponse("**/api/users/signout");
    await page.getByRole("button", { name: "Win" }).click();
    expect((await answered).status()).toBe(403);
    await page.goto("/");
    await expect(page.getByText(buyer.email)).toBeVisible();
  });
}

test("at localhost one signs in and out as at 127.0.0.1", async ({ page, baseURL, buyer }) => {
  await page.goto(`${String(baseURL).replace("127.0.0.1", "localhost")}/signin`);
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill(buyer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(buyer.email)).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
});
