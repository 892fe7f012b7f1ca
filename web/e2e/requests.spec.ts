import { readFileSync } from "node:fs";
import { CARDS, expect, payWith, test, uniqueTitle } from "./fixtures";

/** The requests of a purchase on which the bill is based (`benchmarks/cost.py`), by route. */
const LISTED: Record<string, number> = JSON.parse(
  readFileSync(new URL("../../metering/browser_requests.json", import.meta.url), "utf8"),
);

/** How long the buyer takes to enter the card. */
const TYPING_MILLIS = 20_000;

test("a purchase makes the requests that are listed, however long the card takes", async ({
  page,
  seller,
  buyer,
  context,
}) => {
  const name = uniqueTitle("String quartet");
  await seller.createTicket(name);
  await buyer.signInTo(context);
  const made: Record<string, number> = {};
  page.on("request", (request) => {
    const route = `${request.method()} ${new URL(request.url()).pathname.replace(/[0-9A-Z]{26}/, "{id}")}`;
    if (route.includes(" /api/")) made[route] = (made[route] ?? 0) + 1;
  });

  await page.goto("/");
  await page.getByRole("link", { name }).click();
  await page.getByRole("button", { name: "Buy for" }).click();
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.waitForTimeout(TYPING_MILLIS);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();

  // The order is read until it is completed, and its payment started again if Payments does not know it yet. Both take
  // longer on a slow machine.
  const repeated = ["GET /api/orders/{id}", "POST /api/payments"];
  for (const route of repeated) {
    test.info().annotations.push({ type: route, description: String(made[route]) });
    expect(made[route]).toBeGreaterThan(0);
    expect(made[route]).toBeLessThan(10);
    made[route] = LISTED[route] ?? 0;
  }
  expect(made).toEqual(LISTED);
});
