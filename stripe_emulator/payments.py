"""The state machine of a PaymentIntent (docs: "How PaymentIntents work"), its charge, refunds and disputes.

    requires_payment_method ──► requires_confirmation ──► requires_action ──► requires_capture ──► succeeded
              ▲   a decline or a failed authentication leads back here, every state but `succeeded` to `canceled`

A refused call raises StripeError and changes nothing. A decline changes the intent, so it does not raise: it is a Reply
of status 402.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from stripe_emulator import cards, objects
from stripe_emulator.balances import SETTLEMENT_SECONDS, Balances
from stripe_emulator.cards import Decline, TestCard
from stripe_emulator.refusals import Refusals
from stripe_emulator.state import Tables
from stripe_emulator.wire import Json, Reply, StripeError, error_object, missing_object

AUTHORISATION_SECONDS = 7 * 24 * 3600
REFUND_SECONDS = 10
"""After this time the refund of a card with a late outcome changes its status."""

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CAPTURABLE = ("requires_capture",)
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")

# Minimum charge amounts, in the smallest unit (docs: "Supported currencies").
MINIMUM_AMOUNTS = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
MAXIMUM_AMOUNT = 99_999_999
_ZERO_DECIMAL = frozenset({"jpy"})

_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again."
)


class Payments:
    """Moves the objects in `tables` and reports each step to `emit(event type, object)`. Does not commit."""

    def __init__(
        self,
        tables: Tables,
        balances: Balances,
        refusals: Refusals,
        *,
        clock: Callable[[], float],
        ids: Callable[[str], str],
        emit: Callable[[str, Json], None],
        public_url: str,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._ids = ids
        self._emit = emit
        self._public_url = public_url
        self._balances = balances
        self._refusals = refusals

    # Calls

    def create(self, params: Json) -> Reply:
        currency = params["currency"].lower()
        _check_amount(params["amount"], currency)
        _check_method_types(params)
        method = self._chosen_method(params, from_browser=False)
        if params.get("confirm") and method is None:
            raise StripeError(
                400,
                "You cannot confirm this PaymentIntent because it's missing a payment method. To confirm the "
                "PaymentIntent with this customer, specify a payment method attached to this customer along "
                "with the customer ID.",
                code="payment_intent_unexpected_state",
            )
        intent_id = self._ids("pi_")
        client_secret = f"{intent_id}_secret_{self._ids('')}"
        intent = objects.payment_intent(intent_id, client_secret, self._now(), params | {"currency": currency})
        if method is not None:
            intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        self._save(intent)
        self._emit("payment_intent.created", intent)
        if params.get("confirm"):
            return self._confirm(intent, params, from_browser=False)
        return Reply(200, {}, intent)

    def confirm(self, intent_id: str, params: Json, *, from_browser: bool) -> Reply:
        intent = self.intent(intent_id)
        brings_method = "payment_method" in params or "payment_method_data" in params
        if intent["status"] not in CONFIRMABLE:
            raise _cannot_confirm(intent, brings_method=brings_method)
        method = self._chosen_method(params, from_browser=from_browser)
        if method is not None:
            intent["payment_method"] = method["id"]
        elif intent["payment_method"] is None:
            raise _unexpected_state(
                intent,
                "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
                "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
                "directly with a payment method or ConfirmationToken.",
            )
        return self._confirm(intent, params, from_browser=from_browser)

    def authenticate(self, intent_id: str, *, completed: bool) -> Reply:
        """Record the answer to the 3-D Secure challenge. Not in Stripe's API: the emulator's page calls it."""
        intent = self.intent(intent_id)
        if intent["status"] != "requires_action":
            raise _unexpected_state(
                intent, f"This PaymentIntent is not awaiting authentication: it has a status of {intent['status']}."
            )
        intent["next_action"] = None
        if completed:
            self._charge(intent, authenticated=True)
        else:
            method = self._tables.get("payment_methods", intent["payment_method"])
            error = error_object(
                "invalid_request_error",
                _AUTHENTICATION_FAILED,
                code="payment_intent_authentication_failure",
                payment_method=method,
            )
            self._fail(intent, error)
        # A decline after the challenge is reported on the intent, not by this call.
        return Reply(200, {}, self.intent(intent_id))

    def capture(self, intent_id: str, params: Json) -> Reply:
        intent = self.intent(intent_id)
        self._refusals.check(intent_id, "capture")
        if intent["status"] == "succeeded":
            raise _unexpected_state(
                intent, "This PaymentIntent could not be captured because it has already been captured."
            )
        if intent["status"] not in CAPTURABLE:
            raise _unexpected_state(
                intent,
                f"This PaymentIntent could not be captured because it has a status of {intent['status']}. "
                "Only a PaymentIntent with one of the following statuses may be captured: requires_capture.",
            )
        amount = intent["amount_capturable"]
        if "amount_to_capture" in params:
            amount = params["amount_to_capture"]
        if amount > intent["amount_capturable"]:
            raise StripeError(
                400,
                f"The amount_to_capture ({amount}) must not exceed the amount that can be captured "
                f"({intent['amount_capturable']}).",
                code="amount_too_large",
                param="amount_to_capture",
            )
        intent["metadata"] |= params.get("metadata", {})
        charged = self.charge(intent["latest_charge"])
        self._take(intent, charged, amount)
        self._emit("charge.captured", charged)
        self._emit("payment_intent.succeeded", intent)
        self._bring_dispute(charged)
        return Reply(200, {}, intent)

    def cancel(self, intent_id: str, params: Json) -> Reply:
        intent = self.intent(intent_id)
        self._refusals.check(intent_id, "cancel")
        if intent["status"] not in CANCELABLE:
            raise _unexpected_state(
                intent,
                f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
                "PaymentIntent with one of the following statuses may be canceled: "
                f"{', '.join((*CANCELABLE, 'processing'))}.",
            )
        # A released authorisation is not a refund (changelog 2025-03-31, "Partially capturing or cancelling…").
        self._void(intent, reason=params.get("cancellation_reason"))
        return Reply(200, {}, intent)

    def expire(self) -> None:
        """Cancel the intents whose authorisation has expired (docs: "Place a hold on a payment method").

        Refunds whose outcome comes later end, too.
        """
        due = [pi for pi, hold in self._tables.rows("authorisations") if hold["expires"] <= self._clock()]
        for intent_id in due:
            intent = self.intent(intent_id)
            self._emit("charge.expired", self.charge(intent["latest_charge"]))
            self._void(intent, reason="expired")
        ended = [(re, row) for re, row in self._tables.rows("refund_outcomes") if row["due"] <= self._clock()]
        for refund_id, outcome in ended:
            self.end_refund(refund_id, outcome["status"])

    def refund(self, params: Json) -> Reply:
        charged = self._charge_to_refund(params)
        self._refusals.check(charged["payment_intent"], "refund")
        left = charged["amount_captured"] - charged["amount_refunded"]
        if left == 0:
            raise StripeError(400, f"Charge {charged['id']} has already been refunded.", code="charge_already_refunded")
        amount = params.get("amount", left)
        if amount > left:
            currency = charged["currency"]
            raise StripeError(
                400,
                f"Refund amount ({_money(amount, currency)}) is greater than unrefunded amount on charge "
                f"({_money(left, currency)})",
                param="amount",
            )
        charged["amount_refunded"] += amount
        charged["refunded"] = amount == left
        at_once, later = self._card_of(charged["payment_method"]).refund
        made = objects.refund(self._ids("re_"), self._now(), charged, amount, params, at_once)
        made["balance_transaction"] = self._balances.post(made, -amount, ("refund", "refund"))["id"]
        self._save(charged, made)
        if later != at_once:
            self._tables.put("refund_outcomes", made["id"], {"due": self._clock() + REFUND_SECONDS, "status": later})
        self._emit("refund.created", made)
        self._emit("charge.refunded", charged)
        return Reply(200, {}, made)

    def end_refund(self, refund_id: str, status: str) -> Reply:
        """Let a refund succeed or fail. Not in Stripe's API: the bank decides.

        The amount of a failed refund is on the charge again (docs: "Refunds", failed refunds).
        """
        made = self._tables.get("refunds", refund_id)
        if made is None:
            raise missing_object("refund", refund_id, "refund", in_path=True)
        self._tables.delete("refund_outcomes", refund_id)
        if made["status"] == "failed" or made["status"] == status:
            raise StripeError(400, f"This refund is already {made['status']}.")
        made.pop("pending_reason", None)
        made["status"] = status
        if status == "failed":
            made["failure_reason"] = "expired_or_canceled_card"
            returned = self._balances.post(made, made["amount"], ("refund_failure", "refund_failure"), mark="F")
            made["failure_balance_transaction"] = returned["id"]
            charged = self.charge(made["charge"])
            charged |= {"amount_refunded": charged["amount_refunded"] - made["amount"], "refunded": False}
            self._save(charged)
        self._save(made)
        self._emit("refund.updated", made)
        if status == "failed":
            self._emit("refund.failed", made)
        return Reply(200, {}, made)

    def dispute(self, intent_id: str, reason: str) -> Reply:
        """Dispute the charge. Not a call of Stripe's API: cardholders dispute at their bank."""
        intent = self._tables.get("payment_intents", intent_id)
        if intent is None:
            raise missing_object("payment_intent", intent_id, "payment_intent")
        if intent["status"] != "succeeded":
            raise _unexpected_state(intent, "Only a PaymentIntent that has succeeded can be disputed.")
        charged = self.charge(intent["latest_charge"])
        if charged["disputed"]:
            raise StripeError(400, f"Charge {charged['id']} is already disputed.", code="charge_disputed")
        return Reply(200, {}, self._dispute(charged, reason))

    def close_dispute(self, dispute_id: str, status: str) -> Reply:
        """Close the dispute: `won` returns the money to the seller, `lost` leaves it with the cardholder."""
        disputed = self._tables.get("disputes", dispute_id)
        if disputed is None:
            raise missing_object("dispute", dispute_id, "dispute", in_path=True)
        if disputed["status"] != "needs_response":
            raise StripeError(400, "This dispute is already closed.")
        disputed |= {"status": status, "is_charge_refundable": status == "won"}
        self._save(disputed)
        self._emit("charge.dispute.closed", disputed)
        if status == "won":
            kind = ("adjustment", "dispute_reversal")
            returned = self._balances.post(disputed, disputed["amount"], kind, mark="R")
            disputed["balance_transactions"].append(returned)
            self._save(disputed)
            self._emit("charge.dispute.funds_reinstated", disputed)
        return Reply(200, {}, disputed)

    # Reading

    def intent(self, intent_id: str) -> Json:
        intent = self._tables.get("payment_intents", intent_id)
        if intent is None:
            raise missing_object("payment_intent", intent_id, "intent", in_path=True)
        return intent

    def charge(self, charge_id: str) -> Json:
        charged = self._tables.get("charges", charge_id)
        if charged is None:
            raise missing_object("charge", charge_id, "charge", in_path=True)
        return charged

    # Steps

    def _confirm(self, intent: Json, params: Json, *, from_browser: bool) -> Reply:
        redirects = intent["automatic_payment_methods"] or {}
        may_redirect = redirects.get("allow_redirects") == "always"
        if may_redirect and "return_url" not in params and not from_browser:
            raise StripeError(
                400,
                "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because "
                "some of these payment methods might redirect your customer off of your page, you must provide "
                "a `return_url`. If you don't want to accept redirect-based payment methods, set "
                "`automatic_payment_methods[enabled]` to `true` and "
                "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
                "Payment Intents.",
                param="return_url",
            )
        for name in ("receipt_email", "shipping"):
            intent[name] = params.get(name, intent[name])
        if not self._card(intent).needs_authentication:
            return self._charge(intent)
        if params.get("error_on_requires_action") or params.get("off_session"):
            return self._decline(intent, cards.AUTHENTICATION_REQUIRED)
        intent |= {"status": "requires_action", "last_payment_error": None}
        intent["next_action"] = self._challenge(intent, params)
        self._save(intent)
        self._emit("payment_intent.requires_action", intent)
        return Reply(200, {}, intent)

    def _challenge(self, intent: Json, params: Json) -> Json:
        """`redirect_to_url` if the caller gave a `return_url`, else the shape that Stripe.js understands."""
        page = f"{self._public_url}/local/3ds/{intent['id']}"
        return_url = params.get("return_url")
        if return_url is not None and not params.get("use_stripe_sdk"):
            page = f"{page}?{urlencode({'return_url': return_url})}"
            return {"redirect_to_url": {"return_url": return_url, "url": page}, "type": "redirect_to_url"}
        return {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {
                "source": self._ids("src_"),
                "stripe_js": page,
                "type": "three_d_secure_redirect",
            },
        }

    def _charge(self, intent: Json, *, authenticated: bool = False) -> Reply:
        card = self._card(intent)
        if card.decline is not None:
            return self._decline(intent, card.decline)
        method = self._tables.get("payment_methods", intent["payment_method"])
        charged = objects.charge(self._ids("ch_"), self._now(), intent, method or {})
        details = charged["payment_method_details"]["card"]
        if authenticated:
            details["three_d_secure"] = {"authentication_flow": "challenge", "result": "authenticated"}
        intent |= {"last_payment_error": None, "latest_charge": charged["id"], "next_action": None}
        if intent["capture_method"] == "manual":
            expires = self._now() + AUTHORISATION_SECONDS
            details["capture_before"] = expires
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self._save(intent, charged)
            self._tables.put("authorisations", intent["id"], {"expires": expires})
            self._emit("charge.succeeded", charged)
            self._emit("payment_intent.amount_capturable_updated", intent)
        else:
            self._take(intent, charged, intent["amount"])
            self._emit("charge.succeeded", charged)
            self._emit("payment_intent.succeeded", intent)
            self._bring_dispute(charged)
        return Reply(200, {}, intent)

    def _decline(self, intent: Json, decline: Decline) -> Reply:
        method = self._tables.get("payment_methods", intent["payment_method"])
        charged = objects.failed_charge(self._ids("ch_"), self._now(), intent, method or {}, decline)
        error = error_object(
            "card_error",
            decline.message,
            code=decline.code,
            charge=charged["id"],
            decline_code=decline.decline_code,
            param={"expired_card": "exp_month", "incorrect_cvc": "cvc"}.get(decline.code),
            payment_method=method,
        )
        intent["latest_charge"] = charged["id"]
        self._save(charged)
        self._emit("charge.failed", charged)
        self._fail(intent, error)
        return Reply(402, {}, {"error": error | {"payment_intent": intent}})

    def _fail(self, intent: Json, error: Json) -> None:
        """Return the intent to `requires_payment_method`, ready for another card."""
        intent |= {
            "last_payment_error": error,
            "next_action": None,
            "payment_method": None,
            "status": "requires_payment_method",
        }
        self._save(intent)
        self._emit("payment_intent.payment_failed", intent)

    def _take(self, intent: Json, charged: Json, amount: int) -> None:
        """Capture the amount; the rest of the authorisation is released."""
        charged |= {
            "amount_captured": amount,
            "balance_transaction": self._ids("txn_"),
            "captured": True,
        }
        intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
        self._save(intent, charged)
        self._tables.delete("authorisations", intent["id"])
        is_available = self._card(intent).is_available_at_once
        self._balances.post(
            charged,
            amount,
            ("charge", "charge"),
            transaction_id=charged["balance_transaction"],
            available_on=self._now() + (0 if is_available else SETTLEMENT_SECONDS),
        )

    def _void(self, intent: Json, *, reason: str | None) -> None:
        intent |= {
            "amount_capturable": 0,
            "canceled_at": self._now(),
            "cancellation_reason": reason,
            "next_action": None,
            "status": "canceled",
        }
        self._save(intent)
        self._tables.delete("authorisations", intent["id"])
        self._emit("payment_intent.canceled", intent)

    def _charge_to_refund(self, params: Json) -> Json:
        if "payment_intent" in params:
            intent = self._tables.get("payment_intents", params["payment_intent"])
            if intent is None:
                raise missing_object("payment_intent", params["payment_intent"], "payment_intent")
            charge_id = intent["latest_charge"]
            if charge_id is None or self.charge(charge_id)["status"] == "failed":
                raise StripeError(
                    400, f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
                )
        elif "charge" in params:
            charge_id = params["charge"]
        else:
            raise StripeError(
                400,
                "One of the following params should be provided for this request: payment_intent or charge.",
                code="parameter_missing",
            )
        charged = self._tables.get("charges", charge_id)
        if charged is None:
            raise missing_object("charge", charge_id, "charge")
        if charged["disputed"] and not self._dispute_was_won(charged["id"]):
            raise StripeError(
                400,
                f"Charge {charged['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )
        if charged["refunded"]:
            raise StripeError(400, f"Charge {charged['id']} has already been refunded.", code="charge_already_refunded")
        if not charged["captured"]:
            raise StripeError(
                400,
                f"Charge {charged['id']} has not been captured, so it cannot be refunded. To release its "
                f"authorization, cancel the PaymentIntent {charged['payment_intent']}.",
                code="charge_not_refundable",
            )
        return charged

    def _dispute_was_won(self, charge_id: str) -> bool:
        return any(row["charge"] == charge_id and row["status"] == "won" for _, row in self._tables.rows("disputes"))

    def _bring_dispute(self, charged: Json) -> None:
        reason = self._card_of(charged["payment_method"]).brings_dispute
        if reason is not None:
            self._dispute(charged, reason)

    def _dispute(self, charged: Json, reason: str) -> Json:
        charged["disputed"] = True
        disputed = objects.dispute(self._ids("du_"), self._now(), charged, reason)
        withdrawn = self._balances.post(disputed, -disputed["amount"], ("adjustment", "dispute"))
        disputed["balance_transactions"].append(withdrawn)
        self._save(charged, disputed)
        self._emit("charge.dispute.created", disputed)
        self._emit("charge.dispute.funds_withdrawn", disputed)
        return disputed

    # Cards

    def _chosen_method(self, params: Json, *, from_browser: bool) -> Json | None:
        """The payment method that the parameters name, new or existing; None if they name none."""
        if "payment_method" in params:
            named = params["payment_method"]
            known: Json | None = self._tables.get("payment_methods", named)
            if known is not None:
                return known
            card = cards.by_payment_method(named)
            if card is None:
                raise missing_object("PaymentMethod", named, "payment_method")
            return self._new_method(card, {})
        if "payment_method_data" not in params:
            return None
        given = params["payment_method_data"].get("card", {})
        if "token" in given:
            card = cards.by_token(given["token"])
            if card is None:
                raise missing_object("token", given["token"], "payment_method_data[card][token]")
            return self._new_method(card, {})
        if not from_browser:
            raise StripeError(
                402,
                "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use "
                "test tokens that map to the test card you are using, see https://stripe.com/docs/testing.",
                kind="card_error",
            )
        return self._new_method(self._typed_card(given), given)

    def _typed_card(self, given: Json) -> TestCard:
        def wrong(field: str, code: str, message: str) -> StripeError:
            param = f"payment_method_data[card][{field}]"
            return StripeError(402, message, kind="card_error", code=code, param=param)

        card = cards.by_number(given.get("number", ""))
        month, year, cvc = given.get("exp_month", ""), given.get("exp_year", ""), given.get("cvc", "000")
        if card is None:
            raise wrong("number", "incorrect_number", "Your card number is incorrect.")
        if not (_is_number(month) and 1 <= int(month) <= 12):
            raise wrong("exp_month", "invalid_expiry_month", "Your card's expiration month is invalid.")
        today = datetime.fromtimestamp(self._clock(), UTC).year
        if not (_is_number(year) and today <= int(year) % 100 + 2000 <= today + 50):
            raise wrong("exp_year", "invalid_expiry_year", "Your card's expiration year is invalid.")
        if not (_is_number(cvc) and len(cvc) in (3, 4)):
            raise wrong("cvc", "invalid_cvc", "Your card's security code is invalid.")
        return card

    def _new_method(self, card: TestCard, given: Json) -> Json:
        method = objects.payment_method(self._ids("pm_"), self._now(), card, given)
        self._save(method)
        # Kept beside the method, not in it: Stripe never returns the number.
        self._tables.put("card_numbers", method["id"], {"number": card.number})
        return method

    def _card(self, intent: Json) -> TestCard:
        return self._card_of(intent["payment_method"])

    def _card_of(self, method_id: str) -> TestCard:
        row = self._tables.get("card_numbers", method_id)
        card = cards.by_number(row["number"]) if row else None
        if card is None:
            raise missing_object("PaymentMethod", method_id, "payment_method")
        return card

    # Storage

    def _now(self) -> int:
        return int(self._clock())

    def _save(self, *changed: Json) -> None:
        for item in changed:
            self._tables.put(f"{item['object']}s", item["id"], item)


def _cannot_confirm(intent: Json, *, brings_method: bool) -> StripeError:
    status = intent["status"]
    if brings_method:
        return _unexpected_state(
            intent,
            f"This PaymentIntent's payment_method could not be updated because it has a status of {status}. You "
            "may only update the payment_method of a PaymentIntent with one of the following statuses: "
            "requires_payment_method, requires_confirmation, requires_action.",
        )
    if status == "succeeded":
        return _unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    return _unexpected_state(
        intent,
        f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent with "
        "one of the following statuses may be confirmed: requires_confirmation, requires_action.",
    )


def _unexpected_state(intent: Json, message: str) -> StripeError:
    return StripeError(400, message, code="payment_intent_unexpected_state", payment_intent=intent)


def _check_amount(amount: int, currency: str) -> None:
    minimum = MINIMUM_AMOUNTS.get(currency)
    if minimum is None:
        known = ", ".join(MINIMUM_AMOUNTS)
        raise StripeError(
            400,
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}",
            param="currency",
        )
    if amount < minimum:
        raise StripeError(
            400,
            f"Amount must be at least {_money(minimum, currency)} {currency}",
            code="amount_too_small",
            param="amount",
        )
    if amount > MAXIMUM_AMOUNT:
        raise StripeError(
            400,
            f"Amount must be no more than {_money(MAXIMUM_AMOUNT, currency)}",
            code="amount_too_large",
            param="amount",
        )


def _check_method_types(params: Json) -> None:
    exclusive = ("allowed_payment_method_types", "automatic_payment_methods", "payment_method_types")
    given = [name for name in exclusive if name in params]
    if len(given) > 1:
        raise StripeError(
            400, f"You may only specify one of these parameters: {', '.join(given)}.", code="parameters_exclusive"
        )
    types = params.get("allowed_payment_method_types") or params.get("payment_method_types") or ["card"]
    if types != ["card"]:
        raise StripeError(
            400,
            f"The payment method types provided ({', '.join(types)}) are invalid. The local Stripe knows only card.",
            code="payment_intent_invalid_parameter",
            param=given[0],
        )


def _money(amount: int, currency: str) -> str:
    symbol = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}.get(currency, "")
    return f"{symbol}{amount:,}" if currency in _ZERO_DECIMAL else f"{symbol}{amount / 100:,.2f}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
