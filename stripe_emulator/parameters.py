"""The parameters of each call. Others are refused with `parameter_unknown`, as at Stripe."""

from stripe_emulator.wire import (
    Json,
    ParameterError,
    Schema,
    anything,
    boolean,
    integer,
    metadata,
    moments,
    nested,
    one_of,
    string,
    strings,
)

_EXPAND = {"expand": strings}
_PAGE = {"limit": integer(1, 100), "starting_after": string, "created": moments, **_EXPAND}

_CARD = Schema({"token": string, "number": string, "exp_month": string, "exp_year": string, "cvc": string})
_PAYMENT_METHOD_DATA = Schema(
    {
        "type": one_of("card"),
        "card": nested(_CARD),
        "billing_details": anything,
        "metadata": metadata,
        "allow_redisplay": anything,
    },
    required=("type",),
)
_AUTOMATIC_PAYMENT_METHODS = Schema(
    {"enabled": boolean, "allow_redirects": one_of("always", "never")}, required=("enabled",)
)

_CONFIRMATION = {
    "payment_method": string,
    "payment_method_data": nested(_PAYMENT_METHOD_DATA),
    "payment_method_options": anything,
    "return_url": string,
    "use_stripe_sdk": boolean,
    "error_on_requires_action": boolean,
    "off_session": boolean,
    "receipt_email": string,
    "shipping": anything,
}

CREATE_PAYMENT_INTENT = Schema(
    {
        "amount": integer(1),
        "currency": string,
        "capture_method": one_of("automatic", "automatic_async", "manual"),
        # Only the value that we use: with `manual` another confirmation would follow each authentication.
        "confirmation_method": one_of("automatic"),
        "confirm": boolean,
        "allowed_payment_method_types": strings,
        "payment_method_types": strings,
        "automatic_payment_methods": nested(_AUTOMATIC_PAYMENT_METHODS),
        "metadata": metadata,
        "description": string,
        "customer": string,
        "statement_descriptor": string,
        "statement_descriptor_suffix": string,
        "transfer_group": string,
        **_CONFIRMATION,
        **_EXPAND,
    },
    required=("amount", "currency"),
)
CONFIRM_PAYMENT_INTENT = Schema({"client_secret": string, **_CONFIRMATION, **_EXPAND})
CAPTURE_PAYMENT_INTENT = Schema({"amount_to_capture": integer(1), "metadata": metadata, **_EXPAND})
CANCEL_PAYMENT_INTENT = Schema(
    {
        "cancellation_reason": one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned"),
        **_EXPAND,
    }
)
CREATE_REFUND = Schema(
    {
        "charge": string,
        "payment_intent": string,
        "amount": integer(1),
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        "metadata": metadata,
        **_EXPAND,
    }
)


def refuse_retired(params: Json, version: str) -> None:
    """Refuse parameters that a version has removed (changelog: "Removes the payment method types parameter…")."""
    if "payment_method_types" in params and version >= "2026-09-30":
        raise ParameterError(
            "payment_method_types is no longer supported on this API version. Use allowed_payment_method_types, or "
            "automatic_payment_methods.",
            "payment_method_types",
            "payment_method_types_no_longer_supported",
        )


_REQUESTED = nested(Schema({"requested": boolean}))
_CONTROLLER = Schema(
    {
        "fees": nested(Schema({"payer": one_of("account", "application")})),
        "losses": nested(Schema({"payments": one_of("application", "stripe")})),
        "requirement_collection": one_of("application", "stripe"),
        "stripe_dashboard": nested(Schema({"type": one_of("express", "full", "none")})),
    }
)
CREATE_ACCOUNT = Schema(
    {
        "business_type": one_of("company", "government_entity", "individual", "non_profit"),
        "capabilities": nested(Schema({"card_payments": _REQUESTED, "transfers": _REQUESTED})),
        "controller": nested(_CONTROLLER),
        "country": string,
        "default_currency": string,
        "email": string,
        "metadata": metadata,
        **_EXPAND,
    }
)
UPDATE_ACCOUNT = Schema({"email": string, "metadata": metadata, **_EXPAND})
CREATE_ACCOUNT_LINK = Schema(
    {
        "account": string,
        "type": one_of("account_onboarding", "account_update"),
        "refresh_url": string,
        "return_url": string,
        "collect": one_of("currently_due", "eventually_due"),
        "collection_options": anything,
        **_EXPAND,
    },
    required=("account", "type"),
)
CREATE_TRANSFER = Schema(
    {
        "amount": integer(1),
        "currency": string,
        "destination": string,
        "description": string,
        "metadata": metadata,
        "source_transaction": string,
        "transfer_group": string,
        **_EXPAND,
    },
    required=("amount", "currency", "destination"),
)
CREATE_REVERSAL = Schema({"amount": integer(1), "description": string, "metadata": metadata, **_EXPAND})

RETRIEVE = Schema(_EXPAND)
LIST = Schema(_PAGE)
LIST_TRANSFERS = Schema({"destination": string, "transfer_group": string, **_PAGE})
LIST_BALANCE_TRANSACTIONS = Schema({"type": string, "source": string, "currency": string, **_PAGE})
RETRIEVE_PAYMENT_INTENT = Schema({"client_secret": string, **_EXPAND})
LIST_BY_PAYMENT = Schema({"payment_intent": string, "charge": string, **_PAGE})
LIST_EVENTS = Schema({"type": string, "types": strings, "delivery_success": boolean, **_PAGE})

AUTHENTICATE = Schema({"outcome": one_of("complete", "fail"), "return_url": string}, required=("outcome",))
CREATE_DISPUTE = Schema({"payment_intent": string, "reason": string}, required=("payment_intent",))
CLOSE_DISPUTE = Schema({"status": one_of("won", "lost")}, required=("status",))
END_REFUND = Schema({"status": one_of("succeeded", "failed")}, required=("status",))
REFUSE = Schema(
    {
        "payment_intent": string,
        "account": string,
        "call": one_of("capture", "cancel", "refund", "transfer", "reversal"),
        "code": string,
        "type": one_of("invalid_request_error", "card_error", "api_error"),
        "seconds": integer(1),
    },
    required=("call", "code"),
)
SET_ACCOUNT_STATUS = Schema(
    {"status": one_of("incomplete", "pending", "ready", "restricted", "rejected")}, required=("status",)
)
FINISH_ONBOARDING = Schema({"outcome": one_of("complete", "incomplete", "pending", "leave")}, required=("outcome",))
NOTHING = Schema()
