"""The documented life of a PaymentIntent: every action in every state, and its effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Core

DAY = 24 * 3600

ACTIONS: dict[str, dict[str, Any]] = {
    "confirm": {},
    "confirm with a card": {"payment_method": "pm_card_visa"},
    "confirm with a declined card": {"payment_method": "pm_card_visa_chargeDeclined"},
    "confirm with a 3-D Secure card": {"payment_method": "pm_card_threeDSecure2Required"},
    "capture": {},
    "cancel": {},
    "complete 3-D Secure": {"outcome": "complete"},
    "fail 3-D Secure": {"outcome": "fail"},
}

# The next state for each action in each state; other combinations are refused and change nothing.
DOCUMENTED = {
    ("requires_payment_method", "confirm with a card"): "requires_capture",
    ("requires_payment_method", "confirm with a declined card"): "requires_payment_method",
    ("requires_payment_method", "confirm with a 3-D Secure card"): "requires_action",
    ("requires_payment_method", "cancel"): "canceled",
    ("requires_confirmation", "confirm"): "requires_capture",
    ("requires_confirmation", "confirm with a card"): "requires_capture",
    ("requires_confirmation", "confirm with a declined card"): "requires_payment_method",
    ("requires_confirmation", "confirm with a 3-D Secure card"): "requires_action",
    ("requires_confirmation", "cancel"): "canceled",
    ("requires_action", "confirm"): "requires_action",
    ("requires_action", "confirm with a card"): "requires_capture",
    ("requires_action", "confirm with a declined card"): "requires_payment_method",
    ("requires_action", "confirm with a 3-D Secure card"): "requires_action",
    ("requires_action", "cancel"): "canceled",
    ("requires_action", "complete 3-D Secure"): "requires_capture",
    ("requires_action", "fail 3-D Secure"): "requires_payment_method",
    ("requires_capture", "capture"): "succeeded",
    ("requires_capture", "cancel"): "canceled",
}
STATES = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "succeeded",
    "canceled",
)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", STATES)
def test_every_action_in_every_state_is_as_documented(core: Core, state: str, action: str) -> None:
    before = core.intent(state)
    assert before["status"] == state
    path = f"/v1/payment_intents/{before['id']}"
    call = f"/local/3ds/{before['id']}" if "3-D Secure" in action and "confirm" not in action else None

    reply = core.call("POST", call or f"{path}/{action.split()[0]}", **ACTIONS[action])

    after = core.get(path)
    if (state, action) in DOCUMENTED:
        assert reply.status == (402 if "declined" in action else 200)
        assert after["status"] == DOCUMENTED[state, action]
    else:
        assert reply.status == 400
        error = reply.body["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "payment_intent_unexpected_state")
        assert error["payment_intent"] == after == before


def test_authorisation_holds_the_money_and_capture_takes_it(core: Core) -> None:
    held = core.intent("requires_capture")
    assert (held["amount_capturable"], held["amount_received"]) == (1000, 0)

    taken = core.post(f"/v1/payment_intents/{held['id']}/capture", **{"expand[]": "latest_charge"})

    assert (taken["amount_capturable"], taken["amount_received"]) == (0, 1000)
    assert taken["latest_charge"]["captured"] is True
    assert core.events() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]


def test_automatic_capture_takes_the_money_at_once(core: Core) -> None:
    intent = core.intent("requires_capture", capture_method="automatic")
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 1000)
    assert core.events()[-2:] == ["charge.succeeded", "payment_intent.succeeded"]


def test_at_most_the_authorised_amount_can_be_captured(core: Core) -> None:
    held = core.intent("requires_capture")
    path = f"/v1/payment_intents/{held['id']}/capture"

    refused = core.call("POST", path, amount_to_capture=1001)
    assert (refused.status, refused.body["error"]["param"]) == (400, "amount_to_capture")

    assert core.post(path, amount_to_capture=400)["amount_received"] == 400
    assert core.call("POST", path, amount_to_capture=600).status == 400


def test_a_cancelled_authorisation_is_released(core: Core) -> None:
    held = core.intent("requires_capture")
    path = f"/v1/payment_intents/{held['id']}"

    canceled = core.post(f"{path}/cancel", cancellation_reason="abandoned")

    assert (canceled["amount_capturable"], canceled["cancellation_reason"]) == (0, "abandoned")
    assert canceled["canceled_at"] == int(core.now)
    charge = core.get(f"/v1/charges/{held['latest_charge']}")
    assert (charge["captured"], charge["amount_refunded"], charge["refunded"]) == (False, 0, False)
    assert core.get("/v1/refunds", payment_intent=held["id"])["data"] == []
    assert core.events()[-1:] == ["payment_intent.canceled"]
    assert core.call("POST", f"{path}/capture").body["error"]["code"] == "payment_intent_unexpected_state"


def test_an_authorisation_expires_after_seven_days(core: Core) -> None:
    held = core.intent("requires_capture")
    path = f"/v1/payment_intents/{held['id']}"

    core.now += 7 * DAY - 1
    assert core.get(path)["status"] == "requires_capture"
    core.now += 1
    late = core.call("POST", f"{path}/capture")

    assert late.body["error"]["code"] == "payment_intent_unexpected_state"
    assert core.get(path)["cancellation_reason"] == "expired"
    assert core.events()[-2:] == ["charge.expired", "payment_intent.canceled"]


def test_a_captured_payment_does_not_expire(core: Core) -> None:
    taken = core.intent("succeeded")
    core.now += 8 * DAY
    assert core.get(f"/v1/payment_intents/{taken['id']}")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_declined_card_leaves_the_intent_open_for_another(
    core: Core, card: str, code: str, decline_code: str
) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}"

    reply = core.call("POST", f"{path}/confirm", payment_method=f"pm_card_{card}")

    error = reply.body["error"]
    assert reply.status == 402
    assert (error["type"], error["code"], error["decline_code"]) == ("card_error", code, decline_code)
    assert error["payment_intent"]["last_payment_error"]["charge"] == error["charge"]
    assert core.get(f"/v1/charges/{error['charge']}")["status"] == "failed"
    assert core.events()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    again = core.post(f"{path}/confirm", payment_method="pm_card_mastercard")
    assert (again["status"], again["last_payment_error"]) == ("requires_capture", None)


def test_a_declined_creation_still_creates_the_intent(core: Core) -> None:
    reply = core.call(
        "POST",
        "/v1/payment_intents",
        amount=1000,
        currency="usd",
        confirm="true",
        return_url="http://shop.test",
        payment_method="pm_card_visa_chargeDeclined",
    )
    assert reply.status == 402
    assert [intent["id"] for intent in core.get("/v1/payment_intents")["data"]] == [
        reply.body["error"]["payment_intent"]["id"]
    ]


def test_a_failed_authentication_requires_another_card(core: Core) -> None:
    intent = core.intent("requires_action")

    failed = core.post(f"/local/3ds/{intent['id']}", outcome="fail")

    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert (failed["payment_method"], failed["next_action"], failed["latest_charge"]) == (None, None, None)
    assert core.events()[-2:] == ["payment_intent.requires_action", "payment_intent.payment_failed"]


def test_a_card_may_be_declined_after_authentication(core: Core) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}"
    intent = core.post(f"{path}/confirm", payment_method="pm_card_threeDSecureRequiredChargeDeclined")

    after = core.post(f"/local/3ds/{intent['id']}", outcome="complete")

    assert after["status"] == "requires_payment_method"
    assert after["last_payment_error"]["code"] == "card_declined"


def test_authentication_sends_the_buyer_to_a_page_and_back(core: Core) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}"

    intent = core.post(
        f"{path}/confirm", payment_method="pm_card_authenticationRequired", return_url="http://shop.test/back?o=1"
    )
    action = intent["next_action"]["redirect_to_url"]
    assert action["return_url"] == "http://shop.test/back?o=1"
    assert f"/local/3ds/{intent['id']}?return_url=" in action["url"]

    # Without a `return_url`, or when asked for, the shape for Stripe.js.
    again = core.post(f"{path}/confirm", use_stripe_sdk="true", return_url="http://shop.test/back")
    assert again["next_action"]["use_stripe_sdk"]["type"] == "three_d_secure_redirect"


def test_off_session_a_3d_secure_card_is_declined(core: Core) -> None:
    path = f"/v1/payment_intents/{core.intent()['id']}"
    reply = core.call(
        "POST", f"{path}/confirm", payment_method="pm_card_authenticationRequired", error_on_requires_action="true"
    )
    assert (reply.status, reply.body["error"]["code"]) == (402, "authentication_required")


def test_refunds_never_exceed_the_captured_amount(core: Core) -> None:
    taken = core.intent("succeeded")

    first = core.post("/v1/refunds", payment_intent=taken["id"], amount=400)
    too_much = core.call("POST", "/v1/refunds", payment_intent=taken["id"], amount=601)
    rest = core.post("/v1/refunds", charge=taken["latest_charge"], reason="requested_by_customer")
    once_more = core.call("POST", "/v1/refunds", payment_intent=taken["id"])

    assert (first["status"], first["amount"], rest["amount"]) == ("succeeded", 400, 600)
    assert too_much.body["error"]["message"] == (
        "Refund amount ($6.01) is greater than unrefunded amount on charge ($6.00)"
    )
    assert once_more.body["error"]["code"] == "charge_already_refunded"
    listed = core.get("/v1/refunds", payment_intent=taken["id"])["data"]
    assert [refund["id"] for refund in listed] == [rest["id"], first["id"]]
    assert core.get(f"/v1/refunds/{first['id']}") == first
    charge = core.get(f"/v1/charges/{taken['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (1000, True)
    assert core.events().count("charge.refunded") == 2, "of a part too"


def test_a_charge_counts_as_refunded_only_once_fully_refunded(core: Core) -> None:
    taken = core.intent("succeeded")
    core.post("/v1/refunds", payment_intent=taken["id"], amount=999)
    charge = core.get(f"/v1/charges/{taken['latest_charge']}")

    assert (charge["amount_refunded"], charge["refunded"]) == (999, False)


def test_a_refund_is_bounded_by_a_partial_capture(core: Core) -> None:
    held = core.intent("requires_capture")
    core.post(f"/v1/payment_intents/{held['id']}/capture", amount_to_capture=400)
    assert core.call("POST", "/v1/refunds", payment_intent=held["id"], amount=401).status == 400
    assert core.post("/v1/refunds", payment_intent=held["id"])["amount"] == 400


@pytest.mark.parametrize("state", [state for state in STATES if state != "succeeded"])
def test_an_uncaptured_payment_cannot_be_refunded(core: Core, state: str) -> None:
    intent = core.intent(state)
    reply = core.call("POST", "/v1/refunds", payment_intent=intent["id"])
    assert (reply.status, reply.body["error"]["type"]) == (400, "invalid_request_error")


def test_a_disputed_charge_is_not_refunded_until_won(core: Core) -> None:
    taken = core.intent("succeeded")
    dispute = core.post("/local/disputes", payment_intent=taken["id"])
    assert core.get("/v1/disputes", payment_intent=taken["id"])["data"] == [dispute]

    refused = core.call("POST", "/v1/refunds", payment_intent=taken["id"])
    assert refused.body["error"]["code"] == "charge_disputed"

    closed = core.post(f"/local/disputes/{dispute['id']}/close", status="won")
    assert core.get(f"/v1/disputes/{dispute['id']}") == closed
    assert "charge.dispute.created" in core.events()
    assert "charge.dispute.closed" in core.events()
    assert core.post("/v1/refunds", payment_intent=taken["id"])["amount"] == 1000


def test_a_test_card_can_open_a_dispute(core: Core) -> None:
    intent = core.intent(payment_method="pm_card_createDispute", confirm="true")
    assert core.get("/v1/disputes", payment_intent=intent["id"])["data"] == []
    core.post(f"/v1/payment_intents/{intent['id']}/capture")
    [dispute] = core.get("/v1/disputes", payment_intent=intent["id"])["data"]
    assert (dispute["status"], dispute["amount"]) == ("needs_response", 1000)


def test_a_pending_refund_succeeds_later(core: Core) -> None:
    intent = _paid_with(core, "pm_card_pendingRefund")
    assert core.post("/v1/refunds", payment_intent=intent)["status"] == "pending"
    assert _refunds(core, intent) == (1000, ["pending"])

    core.now += 60
    assert _refunds(core, intent) == (1000, ["succeeded"])
    assert core.get("/v1/events", type="refund.updated")["data"][0]["data"]["object"]["status"] == "succeeded"


def test_a_failed_refund_leaves_the_amount_on_the_charge(core: Core) -> None:
    intent = _paid_with(core, "pm_card_refundFail")
    assert core.post("/v1/refunds", payment_intent=intent)["status"] == "succeeded"

    core.now += 60
    assert _refunds(core, intent) == (0, ["failed"])
    types = [event["type"] for event in core.get("/v1/events", limit=2)["data"]]
    assert types == ["refund.failed", "refund.updated"]
    assert core.post("/v1/refunds", payment_intent=intent)["amount"] == 1000, "another refund can be made"


def test_the_bank_can_end_a_pending_refund(core: Core) -> None:
    intent = _paid_with(core, "pm_card_pendingRefund")
    made = core.post("/v1/refunds", payment_intent=intent)

    assert core.post(f"/local/refunds/{made['id']}", status="failed")["status"] == "failed"
    assert core.call("POST", f"/local/refunds/{made['id']}", status="failed").status == 400
    core.now += 60
    assert _refunds(core, intent) == (0, ["failed"])


@pytest.mark.parametrize("call", ["capture", "cancel", "refund"])
def test_calls_can_be_refused_with_any_code_for_a_time(core: Core, call: str) -> None:
    intent = core.intent("succeeded" if call == "refund" else "requires_capture")["id"]
    core.post("/local/refusals", payment_intent=intent, call=call, code="account_closed", seconds=60)
    path, params = f"/v1/payment_intents/{intent}/{call}", {}
    if call == "refund":
        path, params = "/v1/refunds", {"payment_intent": intent}

    refused = core.call("POST", path, **params)
    assert (refused.status, refused.body["error"]["code"]) == (400, "account_closed")
    core.now += 60
    assert core.call("POST", path, **params).status == 200


def _paid_with(core: Core, card: str) -> str:
    intent = core.intent(capture_method="automatic")["id"]
    core.post(f"/v1/payment_intents/{intent}/confirm", payment_method=card, return_url="https://example.com/")
    return str(intent)


def _refunds(core: Core, intent: str) -> tuple[int, list[str]]:
    """The charge's refunded amount, and the statuses of its refunds."""
    charge = core.get(f"/v1/payment_intents/{intent}", **{"expand[]": "latest_charge.refunds"})["latest_charge"]
    return charge["amount_refunded"], [refund["status"] for refund in charge["refunds"]["data"]]
