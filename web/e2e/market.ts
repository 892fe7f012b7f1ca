/** The people and tickets of these tests. Made over the API, so that each test starts where its story does. */

import { randomUUID } from "node:crypto";
import { type Browser, type BrowserContext, test as base, expect, type Page } from "@playwright/test";

const URL = process.env.ADMIT_ONE_URL ?? "";

/** Seconds that an order holds its ticket. */
export const WINDOW = Number(process.env.ORDER_WINDOW_SECONDS);

export const CARDS = {
  pays: "4242 4242 4242 4242",
  isDeclined: "4000 0000 0000 0002",
  hasNoFunds: "4000 0000 0000 9995",
  asksFor3DSecure: "4000 0000 0000 3220",
};

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export class Person {
  readonly email: string;
  readonly password = "correct horse";
  #token = "";

  private constructor(name: string) {
    this.email = `${name}-${randomUUID().slice(0, 8)}@example.com`;
  }

  static async newcomer(name: string): Promise<Person> {
    const person = new Person(name);
    const { body } = await person.call("POST", "/api/users/signup", {
      email: person.email,
      password: person.password,
    });
    person.#token = String(body.token);
    return person;
  }

  async call(method: string, path: string, sent?: object): Promise<Answer> {
    const response = await fetch(URL + path, {
      method,
      headers: {
        ...(this.#token && { Authorization: `Bearer ${this.#token}` }),
        ...(sent && { "Content-Type": "application/json" }),
      },
      ...(sent && { body: JSON.stringify(sent) }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }

  /** A ticket that is on sale; its id. */
  async sells(title: string, price = "45.00"): Promise<string> {
    const { body } = await this.call("POST", "/api/tickets", { title, price });
    const id = String(body.id);
    await expect
      .poll(async () => JSON.stringify(await this.call("GET", "/api/tickets?limit=100")), { timeout: 30_000 })
      .toContain(id);
    return id;
  }

  /** The id of an order for a ticket; patient, for the news of the ticket may still be on its way. */
  async orders(ticketID: string): Promise<string> {
    let answer: Answer = { status: 0, body: {} };
    await expect
      .poll(
        async () => {
          answer = await this.call("POST", "/api/orders", { ticketID });
          return answer.status;
        },
        { timeout: 30_000 },
      )
      .toBe(201);
    return String(answer.body.id);
  }

  async pays(orderId: string): Promise<void> {
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

  /** Signs this browser in as this person. */
  async entersWith(context: BrowserContext): Promise<void> {
    const { email, password } = this;
    const response = await context.request.post("/api/users/signin", { data: { email, password } });
    expect(response.status()).toBe(200);
  }

  /** A browser of this person's own. */
  async browser(browser: Browser): Promise<Page> {
    const context = await browser.newContext();
    watch(context);
    await this.entersWith(context);
    return context.newPage();
  }
}

const complaints = new Map<BrowserContext, string[]>();

/** Whatever the browser finds wrong with a page: errors in scripts, and what the Content-Security-Policy stops. */
function watch(context: BrowserContext): void {
  const heard: string[] = [];
  complaints.set(context, heard);
  context.on("weberror", (error) => heard.push(error.error().message));
  context.on("console", (message) => {
    // That an answer was no success is the tests' own doing.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      heard.push(message.text());
    }
  });
}

export const test = base.extend<{ seller: Person; buyer: Person; orderly: undefined }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  seller: async ({}, use) => use(await Person.newcomer("seller")),
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  buyer: async ({}, use) => use(await Person.newcomer("buyer")),
  orderly: [
    async ({ context }, use) => {
      watch(context);
      await use(undefined);
      const heard = [...complaints.values()].flat();
      complaints.clear();
      expect(heard, "the browser complains").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Fills in the stand-in's form and sends it. */
export async function payWith(page: Page, number: string): Promise<void> {
  await page.getByLabel("Card number").fill(number);
  await page.getByRole("button", { name: /^Pay \$/ }).click();
}

/** A title that no other test has. */
export function title(what: string): string {
  return `${what} ${randomUUID().slice(0, 8)}`;
}
