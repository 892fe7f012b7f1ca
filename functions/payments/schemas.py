"""Request and response bodies of the Payments API."""

from typing import Annotated, Self

from pydantic import Field

from functions.payments.payment import Payment, PaymentStatus, RefundStatus
from shared.http import Input, Output
from shared.ids import OrderID, PaymentID
from shared.money import MinorUnits


def _is_absent(value: object) -> bool:
    return value is None


class StartPayment(Input):
    """The order to pay for and, optionally, a Stripe token or payment method to authorise the payment with at once."""

    orderId: str
    token: Annotated[str, Field(pattern=r"^(tok|pm)_[A-Za-z0-9_]{1,200}$", examples=["tok_visa"])] | None = None


class PaymentOut(Output):
    """A payment. Amounts are in minor units of the currency (cents for USD).

    `amountRefunded` is the total refunded so far, and absent if nothing was refunded. `refundStatus` is present while a
    refund is `pending` (accepted, the money has not gone yet) or after one has `failed`. `clientSecret` and
    `publishableKey` let a browser confirm the payment with Stripe; they are present only while the payment is open.
    """

    id: PaymentID
    orderId: OrderID
    stripeId: str
    status: PaymentStatus
    amount: MinorUnits
    currency: str
    amountRefunded: MinorUnits | None = Field(None, exclude_if=_is_absent)
    refundStatus: RefundStatus | None = Field(None, exclude_if=_is_absent)
    clientSecret: str | None = Field(None, exclude_if=_is_absent)
    publishableKey: str | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, payment: Payment, *, publishable_key: str | None) -> Self:
        """Build the buyer's view of the payment."""
        is_open = payment.status is PaymentStatus.OPEN
        return cls.model_validate(
            {
                "id": payment.id,
                "orderId": payment.order.id,
                "stripeId": payment.stripe_id,
                "status": payment.status,
                "amount": payment.order.amount,
                "currency": payment.order.currency,
                "amountRefunded": payment.refunded or None,
                "refundStatus": payment.refund_status,
                "clientSecret": payment.client_secret if is_open else None,
                "publishableKey": (publishable_key or None) if is_open else None,
            }
        )
