/** What Stripe's errors have, in its API and in its script alike (docs: "Errors"). */
export interface StripeError {
  type: string;
  code?: string | undefined;
}

/** Errors by which Stripe says that it did not take the card. After any other it may have. */
const REFUSALS = new Set([
  "card_error",
  "validation_error",
  "invalid_request_error",
  "authentication_error",
  "rate_limit_error",
]);

/**
 * Whether an error says that nothing was charged. A lost connection and a fault at Stripe do not, and neither does an
 * intent in another state than expected: it is paid, or gone, or another call is just at it.
 */
export function isOutcomeKnown({ type, code }: StripeError): boolean {
  return REFUSALS.has(type) && code !== "payment_intent_unexpected_state" && code !== "lock_timeout";
}
