import { CARDS, checkAccessibility, expect, payWith, test, uniqueTitle } from "./fixtures";

const WIDTHS = { phone: 360, desktop: 1280 };
const SCHEMES = ["light", "dark"] as const;

for (const colorScheme of SCHEMES) {
  for (const [device, width] of Object.entries(WIDTHS)) {
    test.describe(`${colorScheme}, ${device}`, () => {
      test.use({ colorScheme, viewport: { width, height: 740 } });

      test("public pages", async ({ page, seller }) => {
        const ticket = await seller.createTicket(
          uniqueTitle("An-extraordinarily-long-title-without-any-space-in-it"),
          "999999.99",
        );
        for (const path of ["/", `/tickets/${ticket}`, "/signin", "/signup", "/no/such/page"]) {
          await page.goto(path);
          await checkAccessibility(page, path);
        }
        await page.goto("/signup");
        await page.getByRole("button", { name: "Sign up" }).click();
        await expect(page.getByText("Enter your e-mail address.")).toBeVisible();
        await checkAccessibility(page, "/signup with errors");
      });

      test("the API reference", async ({ page }) => {
        await page.goto("/docs");
        await page.locator(".opblock-summary-control").first().click();
        await expect(page.getByRole("button", { name: "Execute" })).toBeVisible();
        await checkAccessibility(page, "/docs");
      });

      test("a seller’s pages", async ({ page, context, seller, buyer }) => {
        const ticket = await seller.createTicket(uniqueTitle("Seller"));
        const held = await seller.createTicket(uniqueTitle("Held"));
        await buyer.placeOrder(held);
        await seller.signInTo(context);
        for (const path of [
          "/sell",
          "/selling",
          `/tickets/${ticket}`,
          `/tickets/${ticket}/edit`,
          `/tickets/${held}`,
        ]) {
          await page.goto(path);
          await checkAccessibility(page, path);
        }
        await page.goto(`/tickets/${ticket}/edit`);
        await page.getByLabel("Title").fill("Seller, row 1");
        await seller.call("PUT", `/api/tickets/${ticket}`, { title: "Seller, row 2", price: "99.00" });
        await page.getByRole("button", { name: "Save" }).click();
        await expect(page.getByRole("group", { name: /^The title was changed elsewhere/ })).toBeVisible();
        await checkAccessibility(page, "an edit with a conflict");
      });

      test("a buyer’s pages", async ({ page, context, seller, buyer }) => {
        const ticket = await seller.createTicket(uniqueTitle("Buyer"), "1200.50");
        await buyer.signInTo(context);
        const order = await buyer.placeOrder(ticket);
        await page.goto(`/orders/${order}`);
        await payWith(page, CARDS.declined);
        await expect(page.getByRole("alert")).toBeVisible();
        await checkAccessibility(page, "an order with a declined card");
        await page.route("**/confirm", (route) => route.abort());
        await payWith(page, CARDS.accepted);
        await expect(page.getByText("We don’t know yet whether your card was charged.")).toBeVisible();
        await checkAccessibility(page, "a payment with an unknown outcome");
        await page.unroute("**/confirm");
        await page.reload();
        await payWith(page, CARDS.threeDSecure);
        await expect(page.getByRole("dialog")).toBeVisible();
        await checkAccessibility(page, "3-D Secure");
        await page.getByRole("button", { name: "Complete authentication" }).click();
        await expect(page.getByText("It’s yours.")).toBeVisible();
        await checkAccessibility(page, "a paid order");
        await page.goto("/orders");
        await checkAccessibility(page, "/orders");
        await page.goto(`/tickets/${ticket}`);
        await checkAccessibility(page, "a sold ticket");
      });
    });
  }
}
