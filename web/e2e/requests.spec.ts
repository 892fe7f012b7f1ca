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
  page.on("response", (response) => {
    const path = new URL(response.url()).pathname.replace(/[0-9A-Z]{26}/, "{id}");
    const route = `${response.request().method()} ${path}`;
    // 404 with Retry-After: Payments does not know the order yet, and the client repeats the request.
    const isRepeated = response.status() === 404 && "retry-after" in response.headers();
    if (path.startsWith("/api/") && !isRepeated) made[route] = (made[route] ?? 0) + 1;
  });

  await page.goto("/");
  await page.getByRole("link", { name }).click();
  await page.getByRole("button", { name: "Buy for" }).click();
  await expect(page.getByLabel("Card number")).toBeVisible();
  await page.waitForTimeout(TYPING_MILLIS);
  await payWith(page, CARDS.accepted);
  await expect(page.getByText("It’s yours.")).toBeVisible();

  // The order is read until it is completed, which takes longer on a slow machine.
  const polled = "GET /api/orders/{id}";
  test.info().annotations.push({ type: polled, description: String(made[polled]) });
  expect(made[polled]).toBeGreaterThan(0);
  expect(made[polled]).toBeLessThan(10);
  expect({ ...made, [polled]: LISTED[polled] }).toEqual(LISTED);
});
