import { expect, test } from "vitest";
import { isOutcomeKnown } from "./outcome";

test.each([
  [{ type: "card_error", code: "card_declined" }, true],
  [{ type: "card_error", code: "payment_intent_authentication_failure" }, true],
  [{ type: "validation_error", code: "incomplete_number" }, true],
  [{ type: "invalid_request_error" }, true],
  [{ type: "api_connection_error" }, false],
  [{ type: "api_error" }, false],
  [{ type: "idempotency_error" }, false],
  [{ type: "something_new" }, false],
  [{ type: "invalid_request_error", code: "payment_intent_unexpected_state" }, false],
  [{ type: "invalid_request_error", code: "lock_timeout" }, false],
])("%j means that nothing was charged: %j", (error, isKnown) => {
  expect(isOutcomeKnown(error)).toBe(isKnown);
});
