import { expect, type Page } from "@playwright/test";
import { test, title } from "./market";

/**
 * Stripe's own form, which no test here can reach: in place of its script a small one that records what it is asked.
 * What is tested is ours: that the policy lets the script in, what we ask of it, and what we make of its answers.
 */
const FAKE_STRIPE = `
  window.asked = [];
  window.Stripe = (key) => ({
    _registerWrapper() {},
    registerAppInfo() {},
    elements(options) {
      window.asked.push({ call: "elements", key, ...options });
      return {
        update() {},
        getElement: () => null,
        create(type) {
          const heard = {};
          const element = {
            on(name, listener) { heard[name] = listener; return element; },
            off() { return element; },
            once(name, listener) { heard[name] = listener; return element; },
            update() {},
            destroy() {},
            mount(place) {
              place.textContent = "Stripe's " + type + " element";
              setTimeout(() => heard.ready?.(element), 0);
            },
          };
          return element;
        },
      };
    },
    createToken() {},
    createPaymentMethod() {},
    confirmCardPayment() {},
    async confirmPayment(options) {
      window.asked.push({ call: "confirmPayment", redirect: options.redirect, ...options.confirmParams });
      if (window.answer === "none") throw new Error("no answer");
      return window.answer;
    },
  });
  window.Stripe.version = "fake";
`;

async function withStripesOwnForm(page: Page): Promise<void> {
  await page.route("https://js.stripe.com/**", (route) =>
    route.fulfill({ contentType: "text/javascript", body: FAKE_STRIPE }),
  );
  await page.route("**/api/payments*", async (route) => {
    const response = await route.fetch();
    if (!response.ok()) return route.fulfill({ response });
    return route.fulfill({
      response,
      json: { ...(await response.json()), publishableKey: "pk_test_of_stripe" },
    });
  });
}

test("with a key of Stripe’s the page shows Stripe’s own form and confirms with it", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("Real Stripe")));
  await buyer.entersWith(context);
  await withStripesOwnForm(page);
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("Stripe's payment element")).toBeVisible();
  await expect(page.getByLabel("Card number")).toHaveCount(0);

  await page.evaluate(() => {
    Object.assign(window, { answer: { error: { type: "card_error", message: "Your card was declined." } } });
  });
  await page.getByRole("button", { name: "Pay $45.00" }).click();
  await expect(page.getByRole("alert")).toContainText("Your card was declined.");

  await page.evaluate(() =>
    Object.assign(window, { answer: { paymentIntent: { status: "requires_capture" } } }),
  );
  await page.getByRole("button", { name: "Pay $45.00" }).click();
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  // Not "it's yours": only the API says that.
  await expect(page.getByText("It’s yours.")).toHaveCount(0);

  const asked = await page.evaluate(() => Reflect.get(window, "asked") as Record<string, unknown>[]);
  expect(asked[0]).toMatchObject({ call: "elements", key: "pk_test_of_stripe" });
  expect(asked[0]?.clientSecret).toMatch(/^pi_\w+_secret_\w+$/);
  expect(asked.at(-1)).toMatchObject({
    call: "confirmPayment",
    redirect: "if_required",
    return_url: expect.stringContaining(`/orders/${order}`),
  });
});

test("where Stripe’s answer is lost the page does not say that nothing was charged", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  await buyer.entersWith(context);
  await withStripesOwnForm(page);
  for (const answer of [{ error: { type: "api_connection_error", message: "Network error." } }, "none"]) {
    const order = await buyer.orders(await seller.sells(title("Lost at Stripe")));
    await page.goto(`/orders/${order}`);
    await expect(page.getByText("Stripe's payment element")).toBeVisible();
    await page.evaluate((told) => Object.assign(window, { answer: told }), answer);
    await page.getByRole("button", { name: "Pay $45.00" }).click();
    await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
    await expect(page.getByText("You have not been charged.")).toHaveCount(0);
  }
});

test("where Stripe’s script cannot be loaded the page says so, and a retry loads it", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  const order = await buyer.orders(await seller.sells(title("No Stripe")));
  await buyer.entersWith(context);
  await withStripesOwnForm(page);
  await page.route("https://js.stripe.com/**", (route) => route.abort());
  await page.goto(`/orders/${order}`);
  await expect(page.getByRole("alert")).toContainText("Stripe’s form could not be loaded.");
  await page.unroute("https://js.stripe.com/**");
  await page.route("https://js.stripe.com/**", (route) =>
    route.fulfill({ contentType: "text/javascript", body: FAKE_STRIPE }),
  );
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Stripe's payment element")).toBeVisible();
});
