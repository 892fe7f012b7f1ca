"""The JSON shapes of Stripe's objects when created; payments.py and connect.py change them."""

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


def balance_transaction(
    transaction_id: str, created: int, source: Json, amount: int, kind: tuple[str, str], available_on: int
) -> Json:
    """`kind` is the type and the reporting category. `status` depends on the time of the read."""
    return {
        "id": transaction_id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": "payments",
        "created": created,
        "currency": source["currency"],
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": kind[1],
        "source": source["id"],
        "status": "pending",
        "type": kind[0],
    }


# What Stripe asks of a person who is to receive transfers.
_DETAILS = [
    "business_type",
    "external_account",
    "individual.dob.day",
    "individual.dob.month",
    "individual.dob.year",
    "individual.first_name",
    "individual.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
]
_DOCUMENT = "individual.verification.document"


def account(account_id: str, created: int, params: Json) -> Json:
    """A connected account that nobody has entered details for."""
    controller = params.get("controller", {})
    requested = [name for name, wanted in params.get("capabilities", {}).items() if wanted.get("requested")]
    made: Json = {
        "id": account_id,
        "object": "account",
        "business_profile": None,
        "business_type": params.get("business_type"),
        "capabilities": dict.fromkeys(requested, "inactive"),
        "controller": {
            "fees": {"payer": controller.get("fees", {}).get("payer", "account")},
            "is_controller": True,
            "losses": {"payments": controller.get("losses", {}).get("payments", "stripe")},
            "requirement_collection": controller.get("requirement_collection", "stripe"),
            "stripe_dashboard": {"type": controller.get("stripe_dashboard", {}).get("type", "full")},
            "type": "application",
        },
        "country": params.get("country", "US"),
        "created": created,
        "default_currency": params.get("default_currency", "usd"),
        "email": params.get("email"),
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{account_id}/external_accounts",
        },
        "metadata": params.get("metadata", {}),
        "tos_acceptance": {"date": None},
        "type": "none",
    }
    return made | account_status(made, "new")


def account_status(of: Json, status: str) -> Json:
    """The fields of an account that depend on its status: `new`, `incomplete`, `pending`, `ready`, …"""
    due, reason, capability = {
        "new": (_DETAILS, "requirements.past_due", "inactive"),
        "incomplete": (["external_account"], "requirements.past_due", "inactive"),
        "pending": ([], "requirements.pending_verification", "pending"),
        "ready": ([], None, "active"),
        "restricted": ([_DOCUMENT], "requirements.past_due", "inactive"),
        "rejected": ([], "rejected.other", "inactive"),
    }[status]
    is_refused = status == "restricted"
    error = {"code": "verification_document_expired", "reason": "The document has expired.", "requirement": _DOCUMENT}
    requirements = {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [error] if is_refused else [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [_DOCUMENT] if status == "pending" else [],
    }
    return {
        "capabilities": dict.fromkeys(of["capabilities"], capability),
        "charges_enabled": status == "ready" and "card_payments" in of["capabilities"],
        "details_submitted": status not in ("new", "incomplete"),
        "future_requirements": requirements
        | {"currently_due": [], "disabled_reason": None, "errors": [], "eventually_due": [], "past_due": []}
        | {"pending_verification": []},
        "payouts_enabled": status == "ready",
        "requirements": requirements,
    }


def account_link(created: int, expires_at: int, url: str) -> Json:
    return {"object": "account_link", "created": created, "expires_at": expires_at, "url": url}


def transfer(transfer_id: str, payment_id: str, created: int, params: Json) -> Json:
    """`payment_id` is the payment that the connected account sees."""
    return {
        "id": transfer_id,
        "object": "transfer",
        "amount": params["amount"],
        "amount_reversed": 0,
        "balance_transaction": f"txn_{transfer_id.partition('_')[2]}",
        "created": created,
        "currency": params["currency"],
        "description": params.get("description"),
        "destination": params["destination"],
        "destination_payment": payment_id,
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "reversals": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/transfers/{transfer_id}/reversals",
        },
        "reversed": False,
        "source_transaction": params.get("source_transaction"),
        "source_type": "card",
        "transfer_group": params["transfer_group"],
    }


def transfer_reversal(reversal_id: str, created: int, reversed_: Json, amount: int, params: Json) -> Json:
    return {
        "id": reversal_id,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": f"txn_{reversal_id.partition('_')[2]}",
        "created": created,
        "currency": reversed_["currency"],
        "destination_payment_refund": f"pyr_{reversal_id.partition('_')[2]}",
        "metadata": params.get("metadata", {}),
        "source_refund": None,
        "transfer": reversed_["id"],
    }
