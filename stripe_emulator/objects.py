"""The JSON shapes of Stripe's objects when created; payments.py changes them."""

from stripe_emulator.cards import Decline, TestCard
from stripe_emulator.wire import Json

API_VERSION = "2026-10-28.endive"

# The fields of a PaymentIntent that a publishable key may read: no metadata, no charge, no customer.
BROWSER_FIELDS = (
    "id",
    "object",
    "amount",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "status",
)


def payment_intent(intent_id: str, client_secret: str, created: int, params: Json) -> Json:
    listed_types = params.get("allowed_payment_method_types") or params.get("payment_method_types")
    # Since API version 2023-08-16 an intent without types accepts those enabled in the Dashboard, redirects included.
    automatic_methods = params.get("automatic_payment_methods", None if listed_types else {"enabled": True})
    if automatic_methods is not None:
        redirects = automatic_methods.get("allow_redirects", "always")
        automatic_methods = {"allow_redirects": redirects, "enabled": True} if automatic_methods["enabled"] else None
    return {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic_methods,
        "canceled_at": None,
        "cancellation_reason": None,
        # Since API version 2024-04-10 an absent capture method means `automatic_async`.
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": client_secret,
        "confirmation_method": "automatic",
        "created": created,
        "currency": params["currency"],
        "customer": params.get("customer"),
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": params.get("payment_method_options")
        or {"card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": None,
        "shipping": params.get("shipping"),
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
    }


def payment_method(method_id: str, created: int, card: TestCard, given: Json) -> Json:
    return {
        "id": method_id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": {
                "city": None,
                "country": None,
                "line1": None,
                "line2": None,
                "postal_code": None,
                "state": None,
            },
            "email": None,
            "name": None,
            "phone": None,
        },
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
            "country": "US",
            "exp_month": int(given.get("exp_month", 12)),
            "exp_year": int(given.get("exp_year", 2034)),
            "funding": "credit",
            "last4": card.last4,
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def charge(charge_id: str, created: int, intent: Json, method: Json) -> Json:
    """An authorised, uncaptured charge for the whole amount."""
    card = method["card"]
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": {
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {
            "card": {
                "amount_authorized": intent["amount"],
                "brand": card["brand"],
                "capture_before": None,
                "country": card["country"],
                "exp_month": card["exp_month"],
                "exp_year": card["exp_year"],
                "funding": card["funding"],
                "last4": card["last4"],
                "network": card["brand"],
                "three_d_secure": None,
                "wallet": None,
            },
            "type": "card",
        },
        "receipt_email": intent["receipt_email"],
        "receipt_url": None,
        "refunded": False,
        "shipping": intent["shipping"],
        "statement_descriptor": intent["statement_descriptor"],
        "status": "succeeded",
        "transfer_group": intent["transfer_group"],
    }


def failed_charge(charge_id: str, created: int, intent: Json, method: Json, decline: Decline) -> Json:
    return charge(charge_id, created, intent, method) | {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": {
            "network_status": "declined_by_network",
            "reason": decline.decline_code,
            "risk_level": "normal",
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
        "paid": False,
        "status": "failed",
    }


def refund(refund_id: str, created: int, charged: Json, amount: int, params: Json, status: str) -> Json:
    pending = {"pending_reason": "processing"} if status == "pending" else {}
    return pending | {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charged["id"],
        "created": created,
        "currency": charged["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": params.get("metadata", {}),
        "payment_intent": charged["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def dispute(dispute_id: str, created: int, charged: Json, reason: str) -> Json:
    return {
        "id": dispute_id,
        "object": "dispute",
        "amount": charged["amount_captured"] - charged["amount_refunded"],
        "balance_transactions": [],
        "charge": charged["id"],
        "created": created,
        "currency": charged["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + 7 * 24 * 3600,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charged["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def event(event_id: str, created: int, kind: str, subject: Json, request: Json) -> Json:
    return {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": {"object": subject},
        "livemode": False,
        "pending_webhooks": 0,
        "request": request,
        "type": kind,
    }
