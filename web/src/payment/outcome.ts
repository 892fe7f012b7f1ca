/** The fields of an error from Stripe's API or Stripe.js that are used here (Stripe docs: "Errors"). */
export interface StripeError {
  type: string;
  code?: string | undefined;
}

/** Error types after which the card was certainly not charged. */
const NOT_CHARGED_TYPES = new Set([
  "card_error",
  "validation_error",
  "invalid_request_error",
  "authentication_error",
  "rate_limit_error",
]);

/**
 * Whether an error means that nothing was charged. After a lost connection or a fault at Stripe this is not known. Nor is
 * it after `payment_intent_unexpected_state` and `lock_timeout`: the PaymentIntent may have been paid, or another call is
 * in progress.
 */
export function isOutcomeKnown({ type, code }: StripeError): boolean {
  return NOT_CHARGED_TYPES.has(type) && code !== "payment_intent_unexpected_state" && code !== "lock_timeout";
}
