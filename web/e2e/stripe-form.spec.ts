import { expect, type Page } from "@playwright/test";
import { test, uniqueTitle } from "./fixtures";

/**
 * A fake of Stripe.js that records its calls, because tests have no access to Stripe. The tests cover our side: the
 * Content-Security-Policy allows the script, the calls are correct, and each response is handled.
 */
const FAKE_STRIPE = `
  window.calls = [];
  window.Stripe = (key) => ({
    _registerWrapper() {},
    registerAppInfo() {},
    elements(options) {
      window.calls.push({ call: "elements", key, ...options });
      return {
        update() {},
        getElement: () => null,
        create(type) {
          const listeners = {};
          const element = {
            on(name, listener) { listeners[name] = listener; return element; },
            off() { return element; },
            once(name, listener) { listeners[name] = listener; return element; },
            update() {},
            destroy() {},
            mount(container) {
              container.textContent = "Stripe's " + type + " element";
              setTimeout(() => listeners.ready?.(element), 0);
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
      window.calls.push({ call: "confirmPayment", redirect: options.redirect, ...options.confirmParams });
      if (window.response === "none") throw new Error("no response");
      return window.response;
    },
  });
  window.Stripe.version = "fake";
`;

async function installFakeStripe(page: Page): Promise<void> {
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

test("a publishable key of Stripe’s selects Stripe’s form", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Real Stripe")));
  await buyer.signInTo(context);
  await installFakeStripe(page);
  await page.goto(`/orders/${order}`);
  await expect(page.getByText("Stripe's payment element")).toBeVisible();
  await expect(page.getByLabel("Card number")).toHaveCount(0);

  await page.evaluate(() => {
    Object.assign(window, {
      response: { error: { type: "card_error", message: "Your card was declined." } },
    });
  });
  await page.getByRole("button", { name: "Pay $45.00" }).click();
  await expect(page.getByRole("alert")).toContainText("Your card was declined.");

  await page.evaluate(() =>
    Object.assign(window, { response: { paymentIntent: { status: "requires_capture" } } }),
  );
  await page.getByRole("button", { name: "Pay $45.00" }).click();
  await expect(page.getByText("Confirming your payment")).toBeVisible();
  // The order is completed only when the API says so.
  await expect(page.getByText("It’s yours.")).toHaveCount(0);

  const calls = await page.evaluate(() => Reflect.get(window, "calls") as Record<string, unknown>[]);
  expect(calls[0]).toMatchObject({ call: "elements", key: "pk_test_of_stripe" });
  expect(calls[0]?.clientSecret).toMatch(/^pi_\w+_secret_\w+$/);
  expect(calls.at(-1)).toMatchObject({
    call: "confirmPayment",
    redirect: "if_required",
    return_url: expect.stringContaining(`/orders/${order}`),
  });
});

test("after a lost response, the page does not claim that nothing was charged", async ({
  page,
  context,
  seller,
  buyer,
}) => {
  await buyer.signInTo(context);
  await installFakeStripe(page);
  for (const response of [{ error: { type: "api_connection_error", message: "Network error." } }, "none"]) {
    const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("Lost at Stripe")));
    await page.goto(`/orders/${order}`);
    await expect(page.getByText("Stripe's payment element")).toBeVisible();
    await page.evaluate((outcome) => Object.assign(window, { response: outcome }), response);
    await page.getByRole("button", { name: "Pay $45.00" }).click();
    await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
    await expect(page.getByText("You have not been charged.")).toHaveCount(0);
  }
});

test("loading Stripe’s script can be retried", async ({ page, context, seller, buyer }) => {
  const order = await buyer.placeOrder(await seller.createTicket(uniqueTitle("No Stripe")));
  await buyer.signInTo(context);
  await installFakeStripe(page);
  await page.route("https://js.stripe.com/**", (route) => route.abort());
  await page.goto(`/orders/${order}`);
  await expect(page.getByRole("alert")).toContainText("The payment form could not be loaded.");
  await page.unroute("https://js.stripe.com/**");
  await page.route("https://js.stripe.com/**", (route) =>
    route.fulfill({ contentType: "text/javascript", body: FAKE_STRIPE }),
  );
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("Stripe's payment element")).toBeVisible();
});
