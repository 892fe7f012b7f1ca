/** Calls to the local Stripe that Stripe.js makes to Stripe. The edge proxy of `make run` serves them at this path. */

import { TIMEOUT_MILLIS } from "../api/client";
import { isOutcomeKnown, type StripeError } from "./outcome";

const BASE = "/local-stripe";

export interface Card {
  number: string;
  expiry: string;
  cvc: string;
}

/**
 * The outcome of an attempt to pay. `challenged`: the bank requires authentication (3-D Secure). `unknown`: the response
 * was lost.
 */
export type Attempt =
  | { kind: "accepted" }
  | { kind: "challenged" }
  | { kind: "declined"; message: string }
  | { kind: "unknown" };

interface Intent {
  status: string;
  last_payment_error: { message: string } | null;
}

export function confirm(clientSecret: string, publishableKey: string, card: Card): Promise<Attempt> {
  const [month = "", year = ""] = card.expiry.split("/").map((part) => part.trim());
  return call(`/v1/payment_intents/${paymentIntentId(clientSecret)}/confirm`, {
    key: publishableKey,
    client_secret: clientSecret,
    use_stripe_sdk: "true",
    return_url: window.location.href,
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": card.number,
    "payment_method_data[card][exp_month]": month,
    "payment_method_data[card][exp_year]": year,
    "payment_method_data[card][cvc]": card.cvc,
  });
}

/** Completes or fails the bank's authentication. */
export function authenticate(clientSecret: string, outcome: "complete" | "fail"): Promise<Attempt> {
  return call(`/local/3ds/${paymentIntentId(clientSecret)}`, { outcome });
}

function paymentIntentId(clientSecret: string): string {
  return clientSecret.split("_secret_")[0] ?? "";
}

async function call(path: string, params: Record<string, string>): Promise<Attempt> {
  let body: (Intent & { error?: undefined }) | { error: StripeError & { message: string } };
  try {
    const response = await fetch(BASE + path, {
      method: "POST",
      body: new URLSearchParams(params),
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
    });
    body = await response.json();
  } catch {
    return { kind: "unknown" };
  }
  if (body.error !== undefined)
    return isOutcomeKnown(body.error)
      ? { kind: "declined", message: body.error.message }
      : { kind: "unknown" };
  if (body.status === "requires_action") return { kind: "challenged" };
  if (body.last_payment_error !== null) return { kind: "declined", message: body.last_payment_error.message };
  return { kind: "accepted" };
}
