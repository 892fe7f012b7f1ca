import { expect, test } from "./fixtures";

test("cookies of other sites do not affect the session, and signing out ends ours", async ({
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
  await buyer.signInTo(context);
  await page.goto("/orders");
  await expect(page.getByText(buyer.email)).toBeVisible();
  await expect(page.getByText("You have no orders yet.")).toBeVisible();
  const cookies = await context.cookies(url);
  expect(cookies.find(({ name }) => name === "admit-one")).toMatchObject({ httpOnly: true, secure: false });

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
  const remaining = await context.cookies(url);
  expect(remaining.map(({ name }) => name)).toEqual([
    expect.stringMatching(/^admit-one-device-[0-9a-f]{8}$/),
  ]);
  expect(remaining[0]?.httpOnly).toBe(true);
});

for (const encoding of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
  test(`a cross-site form (${encoding}) cannot sign the user out`, async ({
    page,
    context,
    baseURL,
    buyer,
  }) => {
    await buyer.signInTo(context);
    await page.goto("/");
    await expect(page.getByText(buyer.email)).toBeVisible();
    // The same server under another host name: another site to a browser.
    const otherSite = String(baseURL).replace("127.0.0.1", "localhost");
    await page.route(`${otherSite}/forged`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<form method="post" enctype="${encoding}" action="${baseURL}/api/users/signout"><button>Win</button></form>`,
      }),
    );
    await page.goto(`${otherSite}/forged`);
    const response = page.waitForResponse("**/api/users/signout");
    await page.getByRole("button", { name: "Win" }).click();
    expect((await response).status()).toBe(403);
    await page.goto("/");
    await expect(page.getByText(buyer.email)).toBeVisible();
  });
}

test("sign-in and sign-out at localhost", async ({ page, baseURL, buyer }) => {
  await page.goto(`${String(baseURL).replace("127.0.0.1", "localhost")}/signin`);
  await page.getByLabel("E-mail").fill(buyer.email);
  await page.getByLabel("Password").fill(buyer.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(buyer.email)).toBeVisible();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("link", { name: "Sign in" })).toBeVisible();
});
