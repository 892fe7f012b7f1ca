"""What Payments keeps about a user. Auth calls this function.

    {"operation": "export", "userID", "orderIDs"}   the payments of these orders, and the user's declined cards

Payments has no index of users; Auth knows the orders from Orders. Payments of other users are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.payments.payment import Payment
from functions.payments.store import PaymentStore
from shared import clock, settings
from shared.ids import OrderID, UserID
from shared.table import Table

DECLINES_KEPT_DAYS = 2  # the current day and the one before


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the function."""

    table_name: str


def handler(question: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    store = PaymentStore(Table(settings.load(Settings).table_name))
    user_id, order_ids = UserID(question["userID"]), [OrderID(each) for each in question["orderIDs"]]
    payments = [
        _to_record(payment) for payment in store.payments(order_ids) if payment.order.user_id == user_id and payment.id
    ]
    days = [clock.now() - timedelta(days=number) for number in range(DECLINES_KEPT_DAYS)]
    counted = [(day, store.declines(user_id, day)) for day in days]
    declines = [{"date": f"{day:%Y-%m-%d}", "cards": number} for day, number in counted if number]
    return {"records": {"payments": payments, "declinedCards": declines}}


def _to_record(payment: Payment) -> dict[str, Any]:
    """Return the payment as its buyer may see it. The client secret, with which one could pay, is left out."""
    return {
        "id": payment.id,
        "orderId": payment.order.id,
        "stripeId": payment.stripe_id,
        "status": payment.status,
        "reason": payment.reason,
        "amount": payment.order.amount,
        "currency": payment.order.currency,
        "amountRefunded": payment.refunded,
        "refundStatus": payment.refund_status,
        "paidAt": clock.to_rfc3339(payment.paid_at) if payment.paid_at else None,
        "declinedCharges": sorted(payment.declines),
        "updatedAt": clock.to_rfc3339(payment.updated_at) if payment.updated_at else None,
    }
