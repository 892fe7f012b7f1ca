"""Receive Stripe's webhooks.

The signature covers the raw body. Of a verified event only the type and the ids of PaymentIntent and order are used;
the state is read from Stripe, unless the event reports a capture that is recorded already: most captures are ours.

Responses:

    200  processed, or ignored because the PaymentIntent is not ours
    400  not signed, wrong signature, or signed too long ago
    500  ours but not recorded yet; Stripe retries
    503  Stripe or AWS did not respond; Stripe retries
"""

import re
from dataclasses import dataclass
from typing import Any

import stripe
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from functions.payments import actions, stripe_gateway
from functions.payments.payment import NotRecordedYet, PaymentsNotConfigured, StripeUnavailable
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import StripeGateway
from shared import settings
from shared.admission import raw_body
from shared.http import problem_response
from shared.ids import OrderID, is_id
from shared.problems import Problem
from shared.table import Contention, Table
from shared.telemetry import Trace, follow, logger

TOLERANCE_SECONDS = 300  # the default of Stripe's SDK
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
    request_id = event["requestContext"]["requestId"]
    with follow(Trace(correlation_id=request_id, causation_id=request_id)):
        try:
            _receive(event)
        except Problem as problem:
            logger.warning("webhook rejected", code=problem.code, status=problem.status)
            return problem_response(problem, event)
        except NotRecordedYet as error:
            return problem_response(Problem(500, "not_recorded_yet", str(error)), event)
        except (StripeUnavailable, PaymentsNotConfigured, Contention, BotoCoreError, ClientError) as error:
            logger.warning("webhook failed; Stripe will retry", reason=str(error))
            return problem_response(Problem(503, "unavailable", "temporarily unavailable; try again"), event)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": "{}", "isBase64Encoded": False}


def _receive(request: dict[str, Any]) -> None:
    event = _verified(request)
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


def _verified(request: dict[str, Any]) -> StripeEvent:
    """Verify the signature and its age, and return the event.

    Raises Problem: 400 for a bad signature or body, 503 if the stage has no webhook secret.
    """
    secret = stripe_gateway.keys().webhook
    if not secret:
        raise Problem(503, "payments_not_configured", "the Stripe secret of this stage holds no webhook secret")
    signature = request.get("headers", {}).get("stripe-signature", "")
    try:
        body = raw_body(request).decode()
        if not signature.isascii():  # the SDK cannot compare it
            signature = ""
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
        return StripeEvent.model_validate_json(body)
    except stripe.SignatureVerificationError as error:
        logger.info("webhook signature rejected", reason=str(error))  # Stripe's advice is meant for the operator
        raise Problem(400, "bad_signature", "the signature is missing, not made for us, or too old") from None
    except ValueError:
        raise Problem(400, "invalid_request", "the body is not a Stripe event") from None
