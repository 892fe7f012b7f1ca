/** Fixtures of the browser tests. Users, tickets and orders are created over the API, so that each test starts quickly. */

import { randomUUID } from "node:crypto";
import AxeBuilder from "@axe-core/playwright";
import { type Browser, type BrowserContext, test as base, expect, type Page } from "@playwright/test";

const URL = process.env.ADMIT_ONE_URL ?? "";

/** Seconds that an order holds its ticket. */
export const ORDER_WINDOW_SECONDS = Number(process.env.ORDER_WINDOW_SECONDS);

/** Stripe's test cards, by outcome. */
export const CARDS = {
  accepted: "4242 4242 4242 4242",
  declined: "4000 0000 0000 0002",
  insufficientFunds: "4000 0000 0000 9995",
  threeDSecure: "4000 0000 0000 3220",
};

interface Mail {
  to: string;
  subject: string;
  links: string[];
}

/** The path of the link in the newest mail with this subject to an address, once it has arrived in the local mailbox. */
export async function mailedLink(email: string, subject: string): Promise<string> {
  let link: string | undefined;
  await expect
    .poll(
      async () => {
        const { mails } = (await (await fetch(`${URL}/mail.json`)).json()) as { mails: Mail[] };
        link = mails.find((mail) => mail.to === email && mail.subject === subject)?.links[0];
        return link;
      },
      { message: `a mail to ${email}: ${subject}`, timeout: 30_000 },
    )
    .toBeTruthy();
  return String(link).replace(/^https?:\/\/[^/]+/, "");
}

export const SUBJECTS = {
  verify: "Confirm your e-mail address",
  reset: "Set a new password",
  newAddress: "Confirm your new e-mail address",
};

interface ApiResponse {
  status: number;
  body: Record<string, unknown>;
}

export class TestUser {
  readonly email: string;
  readonly password = "correct horse";
  #token = "";

  private constructor(name: string) {
    this.email = `${name}-${randomUUID().slice(0, 8)}@example.com`;
  }

  /** Signs up, and verifies the address by the link in the local mailbox. */
  static async signUp(name: string): Promise<TestUser> {
    const user = await TestUser.signUpUnverified(name);
    const link = await mailedLink(user.email, SUBJECTS.verify);
    await user.call("POST", "/api/users/email/verify", { token: link.split("#")[1] });
    return user;
  }

  static async signUpUnverified(name: string): Promise<TestUser> {
    const user = new TestUser(name);
    const { body } = await user.call("POST", "/api/users/signup", {
      email: user.email,
      password: user.password,
    });
    user.#token = String(body.token);
    return user;
  }

  /** Calls the API. Reads skip the edge's cache. */
  async call(method: string, path: string, sent?: object): Promise<ApiResponse> {
    const response = await fetch(URL + path, {
      method,
      headers: {
        "Cache-Control": "no-cache",
        ...(this.#token && { Authorization: `Bearer ${this.#token}` }),
        ...(sent && { "Content-Type": "application/json" }),
      },
      ...(sent && { body: JSON.stringify(sent) }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }

  /** Creates a ticket and waits until it is in the list of tickets on sale. Returns its id. */
  async createTicket(title: string, price = "45.00"): Promise<string> {
    const { body } = await this.call("POST", "/api/tickets", { title, price });
    const id = String(body.id);
    await expect
      .poll(async () => JSON.stringify(await this.call("GET", "/api/tickets?limit=100")), { timeout: 30_000 })
      .toContain(id);
    return id;
  }

  /** Orders a ticket and returns the order's id. Retries while Orders has not received the ticket yet. */
  async placeOrder(ticketID: string): Promise<string> {
    let response: ApiResponse = { status: 0, body: {} };
    await expect
      .poll(
        async () => {
          response = await this.call("POST", "/api/orders", { ticketID });
          return response.status;
        },
        { timeout: 30_000 },
      )
      .toBe(201);
    return String(response.body.id);
  }

  /** Pays an order and waits until it is completed. */
  async pay(orderId: string): Promise<void> {
    await expect
      .poll(async () => (await this.call("POST", "/api/payments", { orderId, token: "tok_visa" })).status, {
        timeout: 30_000,
      })
      .toBeLessThan(300);
    await expect.poll(() => this.orderStatus(orderId), { timeout: 30_000 }).toBe("completed");
  }

  async orderStatus(orderId: string): Promise<unknown> {
    return (await this.call("GET", `/api/orders/${orderId}`)).body.status;
  }

  /** Signs this user in to a browser context. */
  async signInTo(context: BrowserContext): Promise<void> {
    const { email, password } = this;
    const response = await context.request.post("/api/users/signin", { data: { email, password } });
    expect(response.status()).toBe(200);
  }

  /** Opens a page in a new browser context in which this user is signed in. */
  async openPage(browser: Browser): Promise<Page> {
    const context = await browser.newContext();
    recordErrors(context);
    await this.signInTo(context);
    return context.newPage();
  }
}

const browserErrors = new Map<BrowserContext, string[]>();

/** Records script errors and violations of the Content-Security-Policy in a context. */
function recordErrors(context: BrowserContext): void {
  const errors: string[] = [];
  browserErrors.set(context, errors);
  context.on("weberror", (error) => errors.push(error.error().message));
  context.on("console", (message) => {
    // Failed requests are logged too, but tests cause them on purpose.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      errors.push(message.text());
    }
  });
}

/** `noBrowserErrors` applies to every test: it fails a test whose pages have logged an error. */
export const test = base.extend<{ seller: TestUser; buyer: TestUser; noBrowserErrors: undefined }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright requires the pattern
  seller: async ({}, use) => use(await TestUser.signUp("seller")),
  // biome-ignore lint/correctness/noEmptyPattern: Playwright requires the pattern
  buyer: async ({}, use) => use(await TestUser.signUp("buyer")),
  noBrowserErrors: [
    async ({ context }, use) => {
      recordErrors(context);
      await use(undefined);
      const errors = [...browserErrors.values()].flat();
      browserErrors.clear();
      expect(errors, "errors in the browser").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Enters a card number in the form for the local Stripe and submits it. */
export async function payWith(page: Page, number: string): Promise<void> {
  await page.getByLabel("Card number").fill(number);
  await page.getByRole("button", { name: /^Pay \$/ }).click();
}

/** A ticket title that no other test uses. */
export function uniqueTitle(name: string): string {
  return `${name} ${randomUUID().slice(0, 8)}`;
}

/** Checks a page with axe, and that nothing is wider than the screen. */
export async function checkAccessibility(page: Page, where: string): Promise<void> {
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join("\n")}`,
  );
  expect.soft(found, `axe on ${where}`).toEqual([]);
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect.soft(excess, `the width of ${where}`).toBeLessThanOrEqual(0);
}
