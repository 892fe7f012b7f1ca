"""The HTTP routes of Payments."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from functions.payments import actions, stripe_gateway
from functions.payments.payment import (
    AmountRefused,
    BadToken,
    CardDeclined,
    OrderCancelled,
    OrderExpired,
    OrderNotFound,
    Payment,
    PaymentNotFound,
    PaymentOver,
    PaymentsNotConfigured,
    PaymentStatus,
    StripeUnavailable,
    TooManyDeclines,
    TooManyDeclinesToday,
)
from functions.payments.schemas import PaymentOut, StartPayment
from functions.payments.store import PaymentStore
from shared import settings
from shared.http import Api
from shared.problems import FieldError, problem_type
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the Payments API; those for Stripe are in `stripe_gateway`."""

    table_name: str


def _table() -> Table:
    return Table(settings.load(Settings).table_name)


api = Api(
    table=_table,
    problems={
        OrderNotFound: problem_type(
            404, "order_not_found", lambda error: {"headers": {"Retry-After": "1"}} if error.is_recent else {}
        ),
        PaymentNotFound: problem_type(404, "payment_not_found"),
        OrderCancelled: problem_type(409, "order_cancelled"),
        OrderExpired: problem_type(409, "order_expired"),
        PaymentOver: problem_type(409, "payment_over"),
        TooManyDeclines: problem_type(409, "too_many_declines"),
        TooManyDeclinesToday: problem_type(
            429, "too_many_declines_today", lambda error: {"headers": {"Retry-After": str(error.retry_after)}}
        ),
        AmountRefused: problem_type(409, "amount_refused"),
        BadToken: problem_type(400, "bad_token", lambda error: {"errors": [FieldError(str(error), "token")]}),
        CardDeclined: problem_type(
            402, "card_declined", lambda error: {"members": {"declineCode": error.decline_code or error.code}}
        ),
        StripeUnavailable: problem_type(503, "stripe_unavailable", Retry_After="2"),
        PaymentsNotConfigured: problem_type(503, "payments_not_configured"),
        stripe_gateway.IntentMissing: problem_type(
            503,
            "payments_not_configured",
            lambda _: {"detail": "the Stripe account of this stage does not know this payment"},
        ),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
    return api.handle(event, context)


@api.post("/api/payments", status_code=201)
@api.raises(
    *(OrderNotFound, OrderCancelled, OrderExpired, PaymentOver, TooManyDeclines, TooManyDeclinesToday),
    *(AmountRefused, BadToken, CardDeclined),
    *(StripeUnavailable, PaymentsNotConfigured, stripe_gateway.IntentMissing),
    successes={200: "The existing payment; nothing was changed."},
)
@api.idempotent
def start_payment(body: Annotated[StartPayment, Body()]) -> Response[PaymentOut]:
    """Start the payment of one of the caller's orders and, with a token, authorise it.

    After five declined cards the order's payment ends (409 `too_many_declines`). After twenty in one day (UTC) the
    caller can start no payment until the next day (429 `too_many_declines_today`). Declines in the browser count too.
    """
    store = PaymentStore(_table(), api.completion(_out))
    payment, acted = actions.start_payment(store, user_id=api.user.id, order_id=body.orderId, token=body.token)
    return api.success(_out(payment)) if acted else Response(200, "application/json", _out(payment))


@api.get("/api/payments/<order_id>")
@api.raises(OrderNotFound, PaymentNotFound, PaymentsNotConfigured)
def get_payment(order_id: Annotated[str, Path()]) -> PaymentOut:
    """Get the payment of one of the caller's orders."""
    return _out(actions.get_payment(PaymentStore(_table()), user_id=api.user.id, order_id=order_id))


def _out(payment: Payment) -> PaymentOut:
    """Build the response. An open payment includes the publishable key; the browser needs it to confirm at Stripe."""
    key = stripe_gateway.publishable_key() if payment.status is PaymentStatus.OPEN else None
    return PaymentOut.of(payment, publishable_key=key)
