"""Stripe's test cards (docs: "Testing"): the behaviour and the names of each number.

A card called `visa` is the payment method `pm_card_visa` and the token `tok_visa`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """An issuer's refusal: the error's `code`, its `decline_code` and the message for the cardholder."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True)
class TestCard:
    """One test card; `decline` applies after authentication if the card requires both."""

    number: str
    names: tuple[str, ...] = ()
    brand: str = "visa"
    decline: Decline | None = None
    needs_authentication: bool = False
    brings_dispute: str | None = None
    refund: tuple[str, str] = ("succeeded", "succeeded")
    """The status of a refund when it is made, and some time later."""
    is_available_at_once: bool = False
    """Whether the money of its charges is never pending."""

    @property
    def last4(self) -> str:
        return self.number[-4:]


_DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
_INSUFFICIENT_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_LOST = Decline("card_declined", "lost_card", "Your card was declined.")
_STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
_FRAUDULENT = Decline("card_declined", "fraudulent", "Your card was declined.")
_EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
_INCORRECT_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
_PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
_VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
_NOT_A_TEST_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)


def _declining(number: str, name: str, decline: Decline) -> TestCard:
    # Stripe's pages name the same card with and without the brand.
    return TestCard(number, (name, f"visa_{name}"), decline=decline)


CARDS = (
    TestCard("4242424242424242", ("visa", "us")),
    TestCard("4000056655665556", ("visa_debit",)),
    TestCard("5555555555554444", ("mastercard",), brand="mastercard"),
    TestCard("5200828282828210", ("mastercard_debit",), brand="mastercard"),
    TestCard("378282246310005", ("amex",), brand="amex"),
    TestCard("6011111111111117", ("discover",), brand="discover"),
    _declining("4000000000000002", "chargeDeclined", _DECLINED),
    _declining("4000000000009995", "chargeDeclinedInsufficientFunds", _INSUFFICIENT_FUNDS),
    _declining("4000000000009987", "chargeDeclinedLostCard", _LOST),
    _declining("4000000000009979", "chargeDeclinedStolenCard", _STOLEN),
    _declining("4100000000000019", "chargeDeclinedFraudulent", _FRAUDULENT),
    _declining("4000000000000069", "chargeDeclinedExpiredCard", _EXPIRED),
    _declining("4000000000000127", "chargeDeclinedIncorrectCvc", _INCORRECT_CVC),
    _declining("4000000000000119", "chargeDeclinedProcessingError", _PROCESSING_ERROR),
    _declining("4000000000006975", "chargeDeclinedVelocityLimitExceeded", _VELOCITY),
    TestCard(
        "4000000000003220",
        ("threeDSecure2Required", "threeDSecureRequired"),
        needs_authentication=True,
    ),
    TestCard("4000000000003063", needs_authentication=True),
    TestCard("4000002760003184", ("authenticationRequired",), needs_authentication=True),
    TestCard("4000002500003155", ("authenticationRequiredOnSetup",), needs_authentication=True),
    TestCard(
        "4000008260003178",
        ("authenticationRequiredChargeDeclinedInsufficientFunds",),
        decline=_INSUFFICIENT_FUNDS,
        needs_authentication=True,
    ),
    TestCard(
        "4000008400001629",
        ("threeDSecureRequiredChargeDeclined",),
        decline=_DECLINED,
        needs_authentication=True,
    ),
    TestCard("4000000000000259", ("createDispute",), brings_dispute="fraudulent"),
    TestCard(
        "4000000000002685",
        ("createDisputeProductNotReceived",),
        brings_dispute="product_not_received",
    ),
    TestCard("4000000000000077", ("bypassPending",), is_available_at_once=True),
    TestCard("4000000000007726", ("pendingRefund",), refund=("pending", "succeeded")),
    TestCard("4000000000005126", ("refundFail",), refund=("succeeded", "failed")),
)

_BY_NUMBER = {card.number: card for card in CARDS}
_BY_NAME = {name: card for card in CARDS for name in card.names}


def by_payment_method(name: str) -> TestCard | None:
    """The card of `pm_card_…`, or None."""
    return _BY_NAME.get(name.removeprefix("pm_card_")) if name.startswith("pm_card_") else None


def by_token(name: str) -> TestCard | None:
    """The card of `tok_…`, or None."""
    return _BY_NAME.get(name.removeprefix("tok_")) if name.startswith("tok_") else None


def by_number(number: str) -> TestCard | None:
    """The card with this number. A real card is declined as in Stripe's test mode; None if the number is invalid."""
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and _passes_luhn(digits)):
        return None
    return _BY_NUMBER.get(digits) or TestCard(digits, decline=_NOT_A_TEST_CARD)


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
