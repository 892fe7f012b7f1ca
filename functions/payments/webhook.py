"""Receive Stripe's webhooks.

The signature covers the raw body. Of a verified event only the type and the ids of PaymentIntent and order are used;
the state is read from Stripe, unless the event reports a capture that is recorded already: most captures are ours.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from functions.payments import actions, stripe_gateway
from functions.payments.signed_webhook import receive
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import StripeGateway
from shared import settings
from shared.ids import OrderID, is_id
from shared.table import Table
from shared.telemetry import logger

TYPES = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "charge.refunded",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.closed",
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the webhook; those for Stripe are in `stripe_gateway`."""

    table_name: str


_INTENT_ID = re.compile(r"pi_\w{1,255}", re.ASCII)
_CHARGE_ID = re.compile(r"(ch|py)_\w{1,255}", re.ASCII)


class _Subject(BaseModel):
    """The object of the event: a PaymentIntent, or an object that refers to one (charge, refund, dispute)."""

    object: str = ""
    id: str | None = None
    payment_intent: str | None = None
    metadata: Any = None
    last_payment_error: Any = None


class _Data(BaseModel):
    object: _Subject

    @property
    def stripe_id(self) -> str | None:
        """The PaymentIntent's id; None if it is missing or malformed."""
        found = self.object.id if self.object.object == "payment_intent" else self.object.payment_intent
        return found if found and _INTENT_ID.fullmatch(found) else None

    @property
    def order_id(self) -> OrderID | None:
        """The order's id in the metadata; None if it is missing or malformed. A charge has its PaymentIntent's."""
        metadata = self.object.metadata
        found = metadata.get("orderID") if isinstance(metadata, dict) else None
        return OrderID(found) if isinstance(found, str) and is_id(found) else None

    @property
    def declined_charge(self) -> str | None:
        """The declined charge that a PaymentIntent reports; None if the payment failed without one."""
        error = self.object.last_payment_error
        found = error.get("charge") if isinstance(error, dict) else None
        return found if isinstance(found, str) and _CHARGE_ID.fullmatch(found) else None


class StripeEvent(BaseModel):
    """The fields of a Stripe event that are used. `account` is set on events of connected accounts (Stripe Connect)."""

    id: str = ""
    type: str
    account: str | None = None
    data: _Data


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one webhook delivery."""
    return receive(event, StripeEvent, secret=lambda: stripe_gateway.keys().webhook, act=_receive)


def _receive(event: StripeEvent) -> None:
    if event.type not in TYPES or event.account or event.data.stripe_id is None:
        return
    stripe_id = event.data.stripe_id
    logger.info("webhook received", event_type=event.type, stripe_event=event.id, stripe_id=stripe_id)
    store = PaymentStore(Table(settings.load(Settings).table_name))
    actions.reconcile_intent(
        store,
        StripeGateway(),
        stripe_id,
        event.data.order_id,
        declined_charge=event.data.declined_charge if event.type == "payment_intent.payment_failed" else None,
        is_capture=event.type == "payment_intent.succeeded",
    )
