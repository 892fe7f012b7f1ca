"""Payments: authorise first, capture, void or refund when Orders decides, and repair after losses."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from functions.payments import reconciler
from functions.payments.store import PaymentStore
from shared import telemetry
from shared.ids import new_id
from shared.table import Table
from shared.unit_of_work import VersionConflict
from tests.integration.placing import offer, place
from tests.support.faults import RESPONSE_LOST, UNREACHABLE, FaultKind
from tests.support.lambda_events import Person, new_event
from tests.support.stripe_in_process import Stripe, deliver_webhook
from tests.support.world import Response, World

VISA = "tok_visa"
UNKNOWN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the values of each business metric."""
    counted: Counter[str] = Counter()
    monkeypatch.setattr(telemetry, "_put", lambda metric, _value, _unit: counted.update([metric]))
    return counted


@pytest.fixture
def order(world: World, stripe: Stripe, buyer: Person) -> dict[str, Any]:
    """Return a live order, of which Payments has a copy."""
    placed: dict[str, Any] = place(world, offer(world, world.person()), buyer).json
    world.settle(without=("expiration", "tickets"))
    return placed


def pay(world: World, order: dict[str, Any], by: Person, token: str | None = VISA, **headers: str) -> Response:
    body = {"orderId": order["id"]} | ({"token": token} if token else {})
    return world.call(
        "POST", "/api/payments", body, by=by, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def settle(world: World, *without: str) -> list[str]:
    """Deliver everything; return the types of the events in order."""
    return [event["detail-type"] for event in world.settle(without=("expiration", "tickets", *without))]


def status_of(world: World, order: dict[str, Any], buyer: Person) -> str:
    return str(world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"])


def payment_of(world: World, order: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in world.items("payments") if item["pk"] == f"order#{order['id']}")


def reconcile(world: World) -> None:
    """Repair the payments two minutes after the deadline of an order that was just placed."""
    world.time.advance(minutes=8)
    world.repair("payments.reconciler")


def test_starting_a_payment_returns_what_a_browser_needs(world: World, order: dict[str, Any], buyer: Person) -> None:
    answer = pay(world, order, buyer, token=None)

    assert answer.status == 201
    assert answer.json["status"] == "open"
    assert (answer.json["amount"], answer.json["currency"]) == (1250, "usd")
    assert answer.json["clientSecret"].startswith(answer.json["stripeId"])
    assert answer.json["publishableKey"].startswith("pk_")


def test_the_payment_intent_names_its_order_and_manual_capture(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer, token=None)

    (intent,) = stripe.intents()
    assert intent["capture_method"] == "manual"
    assert intent["payment_method_types"] == ["card"]
    assert intent["metadata"] == {"stage": "test", "orderID": order["id"], "userID": buyer.id}
    assert intent["status"] == "requires_payment_method", "creating never confirms"


def test_starting_again_returns_the_open_payment(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    first = pay(world, order, buyer, token=None)
    again = pay(world, order, buyer, token=None)

    assert (again.status, again.json) == (200, first.json)
    assert len(stripe.intents()) == 1


def test_confirming_with_a_token_completes_the_order(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer)
    assert (answer.status, answer.json["status"]) == (201, "authorized")
    assert "clientSecret" not in answer.json

    assert settle(world) == ["payment:authorized", "order:awaiting-payment", "payment:created", "order:completed"]
    assert status_of(world, order, buyer) == "completed"
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "captured"
    assert stripe.intents()[0]["amount_received"] == 1250


def test_nothing_is_captured_before_orders_decides(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.call("GET", f"/api/payments/{order['id']}", by=buyer)
    stripe.webhooks(world)
    reconcile(world)

    assert stripe.intents()[0]["status"] == "requires_capture"


def test_an_amount_that_stripe_does_not_charge_is_refused(world: World, stripe: Stripe, buyer: Person) -> None:
    placed = place(world, offer(world, world.person()), buyer).json
    created = next(event for event in world.published() if event["detail-type"] == "order:created")
    created["detail"]["data"]["ticket"]["price"] = "0.10"  # accepted before Stripe raised its minimum
    world.deliver(created, "payments")

    answer = pay(world, placed, buyer)
    assert (answer.status, answer.code) == (409, "amount_refused")


def test_a_call_is_not_repeated_late_in_a_request(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer, token=None)
    stripe.inject(UNREACHABLE, "confirm", attempts=1)
    stripe.seconds_per_call = 6

    assert pay(world, order, buyer).code == "stripe_unavailable"


def test_paying_twice_authorises_once(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    pay(world, order, buyer)
    again = pay(world, order, buyer)

    assert (again.status, again.json["status"]) == (200, "authorized")
    assert len([call for call in stripe.calls if call.endswith("/confirm")]) == 1


def test_a_declined_card_has_a_reason_and_another_may_be_tried(
    world: World, order: dict[str, Any], buyer: Person
) -> None:
    declined = pay(world, order, buyer, token="tok_chargeDeclinedInsufficientFunds")
    assert (declined.status, declined.code) == (402, "card_declined")
    assert declined.json["declineCode"] == "insufficient_funds"

    assert pay(world, order, buyer).status == 201
    settle(world)
    assert status_of(world, order, buyer) == "completed"


def test_each_attempt_has_its_own_idempotency_key_at_stripe(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The same card can therefore be tried again."""
    for _ in range(2):
        assert pay(world, order, buyer, token="tok_chargeDeclined").status == 402
    assert len([call for call in stripe.calls if call.endswith("/confirm")]) == 2


def test_three_d_secure_stays_open_until_the_webhook(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    assert (answer.status, answer.json["status"]) == (201, "open")

    stripe.account.handle("POST", f"/local/3ds/{answer.json['stripeId']}", {}, "outcome=complete")
    assert {webhook.status for webhook in stripe.webhooks(world)} == {200}
    settle(world)
    assert status_of(world, order, buyer) == "completed"


def test_a_payment_intent_cancelled_at_stripe_cannot_be_paid(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer, token=None)
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/cancel")

    for _ in range(2):
        refused = pay(world, order, buyer, Idempotency_Key="k")
        assert (refused.status, refused.code) == (409, "payment_over")
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "voided"


def test_a_payment_intent_unknown_to_stripe_has_its_own_error(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """This happens after the stage's keys are changed to those of another account."""
    pay(world, order, buyer, token=None)
    stripe.account = type(stripe)(
        world.time, secret_arn=stripe.secret_arn, payout_secret_arn=stripe.payout_secret_arn
    ).account

    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "open"
    answer = pay(world, order, buyer)
    assert (answer.status, answer.code) == (503, "payments_not_configured")


@pytest.mark.parametrize("token", ["tok_nothing_like_this", "pm_card_unheard_of"])
def test_a_token_unknown_to_stripe_is_refused(world: World, order: dict[str, Any], buyer: Person, token: str) -> None:
    answer = pay(world, order, buyer, token=token)

    assert (answer.status, answer.code) == (400, "bad_token")
    assert answer.json["errors"][0]["field"] == "token"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "orderId"),
        ({"orderId": 1}, "orderId"),
        ({"orderId": UNKNOWN, "token": "4242424242424242"}, "token"),
        ({"orderId": UNKNOWN, "token": "tok_" + "x" * 300}, "token"),
        ({"orderId": UNKNOWN, "amount": 1}, "amount"),
    ],
)
def test_an_invalid_body_is_refused_by_field(
    world: World, stripe: Stripe, buyer: Person, body: object, field: str
) -> None:
    answer = world.call("POST", "/api/payments", body, by=buyer)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["field"] == field


def test_only_its_buyer_pays_and_sees_a_payment(world: World, order: dict[str, Any], buyer: Person) -> None:
    pay(world, order, buyer, token=None)
    stranger = world.person()

    assert pay(world, order, stranger).status == 404
    assert world.call("GET", f"/api/payments/{order['id']}", by=stranger).status == 404


@pytest.mark.parametrize("ident", ["nonsense", UNKNOWN])
def test_an_unknown_order_is_not_found(world: World, stripe: Stripe, buyer: Person, ident: str) -> None:
    assert pay(world, {"id": ident}, buyer).code == "order_not_found"
    assert world.call("GET", f"/api/payments/{ident}", by=buyer).code == "order_not_found"


def test_a_recent_unknown_order_asks_for_a_retry(world: World, stripe: Stripe, buyer: Person) -> None:
    answer = pay(world, {"id": new_id()}, buyer)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (404, "order_not_found", "1")


def test_a_payment_that_was_never_started_is_not_found(world: World, order: dict[str, Any], buyer: Person) -> None:
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).code == "payment_not_found"


def test_an_expired_order_accepts_no_payment(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    world.time.advance(minutes=5)

    assert pay(world, order, buyer).code == "order_expired"
    assert stripe.intents() == []


def test_a_cancelled_order_accepts_no_payment(world: World, order: dict[str, Any], buyer: Person) -> None:
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)

    assert pay(world, order, buyer).code == "order_cancelled"


def test_cancelling_the_order_voids_an_open_payment(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)

    assert settle(world) == ["order:cancelled", "payment:voided"]
    assert stripe.intents()[0]["status"] == "canceled"
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "voided"


def test_an_authorisation_after_the_cancellation_is_voided(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.time.advance(minutes=5)
    world.deliver(new_event("expiration:completed", {"orderId": order["id"], "userID": buyer.id}), "orders")
    events = settle(world)

    assert events.count("payment:voided") == 1
    assert status_of(world, order, buyer) == "cancelled"
    assert stripe.intents()[0]["status"] == "canceled"


def test_the_webhook_voids_after_a_failed_cancellation(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The cancellation reached Payments while Stripe was down."""
    pay(world, order, buyer)
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    cancelled = [event for event in world.published() if event["detail-type"] == "order:cancelled"]
    stripe.inject(UNREACHABLE, "cancel")
    assert not world.deliver(cancelled[0], "payments")
    assert stripe.intents()[0]["status"] == "requires_capture"

    stripe.webhooks(world, only="payment_intent.amount_capturable_updated")
    assert stripe.intents()[0]["status"] == "canceled"


def test_a_retry_finds_a_capture_whose_response_was_lost(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    (awaiting,) = world.published()
    stripe.inject(RESPONSE_LOST, "capture")
    assert not world.deliver(awaiting, "payments")
    assert world.deliver(awaiting, "payments")

    assert settle(world) == ["payment:created", "order:completed"]
    assert stripe.intents()[0]["amount_received"] == 1250


def test_an_impossible_capture_cancels_the_order(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer)
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/cancel")

    events = settle(world)
    assert events[:4] == ["payment:authorized", "order:awaiting-payment", "payment:failed", "order:cancelled"]
    assert status_of(world, order, buyer) == "cancelled"
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "failed"


def test_a_failure_is_published_again_for_each_capture_request(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer)
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/cancel")
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    (awaiting,) = world.published()

    for _ in range(2):
        world.deliver(awaiting, "payments")
        assert [event["detail-type"] for event in world.published()] == ["payment:failed"]


def test_a_timeout_does_not_fail_the_payment(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    (awaiting,) = world.published()
    stripe.inject(UNREACHABLE, "capture")

    assert not world.deliver(awaiting, "payments")
    assert world.published() == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("charge_expired_for_capture", "invalid_request_error"),
        ("capture_charge_authorization_expired", "invalid_request_error"),
        ("card_declined", "card_error"),
    ],
)
def test_a_finally_refused_capture_cancels_the_order(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, code: str, kind: str
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    stripe.refuse(stripe_id, "capture", code, kind)

    assert settle(world)[:4] == ["payment:authorized", "order:awaiting-payment", "payment:failed", "order:cancelled"]
    assert stripe.intents()[0]["status"] == "canceled"
    assert payment_of(world, order)["status"] == "failed"
    assert "unsettledPartition" not in payment_of(world, order)


def test_a_capture_refused_for_an_unknown_reason_is_tried_again_later(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """Not by retries of the message, which would end in the dead-letter queue."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    stripe.account.handle(
        "POST", "/local/refusals", {}, f"payment_intent={stripe_id}&call=capture&code=account_closed&seconds=60"
    )

    assert settle(world) == ["payment:authorized", "order:awaiting-payment"]
    assert stripe.intents()[0]["status"] == "requires_capture"

    reconcile(world)
    assert settle(world) == ["payment:created", "order:completed"]


def test_a_refused_void_is_tried_again_later(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    stripe.account.handle(
        "POST", "/local/refusals", {}, f"payment_intent={stripe_id}&call=cancel&code=account_closed&seconds=60"
    )
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)
    assert stripe.intents()[0]["status"] == "requires_capture"

    reconcile(world)
    assert stripe.intents()[0]["status"] == "canceled"


@pytest.mark.parametrize("call", ["payment_intents", "confirm", "capture", "cancel", "refunds"])
@pytest.mark.parametrize("kind", [UNREACHABLE, RESPONSE_LOST])
def test_a_call_without_an_answer_is_repeated_and_acts_once(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, call: str, kind: FaultKind
) -> None:
    stripe.inject(kind, call, attempts=1)
    paid = pay(world, order, buyer)
    assert paid.status == 201
    if call in ("cancel", "refunds"):
        if call == "refunds":
            stripe.api("POST", f"/v1/payment_intents/{paid.json['stripeId']}/capture")
        world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)

    assert len([made for made in stripe.calls if made.startswith("post") and made.endswith(f"/{call}")]) == 2
    (intent,) = stripe.intents()
    assert intent["status"] == ("canceled" if call == "cancel" else "succeeded")
    assert len(stripe.api("GET", "/v1/refunds")["data"]) == (call == "refunds")
    assert len(stripe.api("GET", "/v1/events?type=charge.succeeded")["data"]) == 1


def test_money_captured_for_a_cancelled_order_is_refunded(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer)
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/capture")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)

    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "refunded"
    assert stripe.api("GET", "/v1/refunds")["data"][0]["amount"] == 1250


@pytest.mark.parametrize("verdict", ["won", "lost"])
def test_a_disputed_payment_waits_for_the_bank(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, verdict: str
) -> None:
    """The order is cancelled, and its payment does not fail the reconciler."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    stripe.api("POST", f"/v1/payment_intents/{stripe_id}/capture")
    dispute = stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={stripe_id}").body
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)
    reconcile(world)
    assert payment_of(world, order)["status"] == "captured"

    stripe.account.handle("POST", f"/local/disputes/{dispute['id']}/close", {}, f"status={verdict}")
    reconcile(world)

    assert payment_of(world, order)["status"] == "refunded"
    assert len(stripe.api("GET", "/v1/refunds")["data"]) == (verdict == "won")


def _cancelled_with_captured_money(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, token: str = VISA
) -> str:
    """Cancel the order after its payment was captured by hand; returns the PaymentIntent's id."""
    stripe_id = str(pay(world, order, buyer, token).json["stripeId"])
    stripe.api("POST", f"/v1/payment_intents/{stripe_id}/capture")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    return stripe_id


def test_a_pending_refund_is_shown_until_the_money_has_gone(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    _cancelled_with_captured_money(world, order, buyer, stripe, "tok_pendingRefund")
    assert "payment:refunded" not in settle(world)
    shown = world.call("GET", f"/api/payments/{order['id']}", by=buyer).json
    assert (shown["status"], shown["refundStatus"]) == ("captured", "pending")
    assert "amountRefunded" not in shown

    world.time.advance(seconds=60)
    stripe.account.tick()
    stripe.webhooks(world, only="refund.updated")

    assert settle(world) == ["payment:refunded"]
    shown = world.call("GET", f"/api/payments/{order['id']}", by=buyer).json
    assert (shown["status"], shown["amountRefunded"]) == ("refunded", 1250)
    assert "refundStatus" not in shown


@pytest.mark.parametrize("ends", ["succeeded", "failed"])
def test_the_reconciler_finds_the_end_of_a_refund_without_webhook(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, ends: str
) -> None:
    _cancelled_with_captured_money(world, order, buyer, stripe, "tok_pendingRefund")
    settle(world)
    (made,) = stripe.api("GET", "/v1/refunds")["data"]
    assert payment_of(world, order)["refundStatus"] == "pending"

    stripe.account.handle("POST", f"/local/refunds/{made['id']}", {}, f"status={ends}")
    reconcile(world)

    payment = payment_of(world, order)
    assert (payment["status"], payment.get("refundStatus")) == (
        ("refunded", None) if ends == "succeeded" else ("captured", "failed")
    )
    assert "unsettledPartition" not in payment
    assert len(stripe.api("GET", "/v1/refunds")["data"]) == 1


def test_a_pending_refund_is_no_old_authorisation(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the alarm about authorisations near their end would go off."""
    ages: list[float] = []
    monkeypatch.setattr(reconciler, "measure", lambda _metric, age: ages.append(age))
    _cancelled_with_captured_money(world, order, buyer, stripe, "tok_pendingRefund")
    settle(world)
    world.time.advance(days=6)
    world.repair("payments.reconciler")
    other = place(world, offer(world, world.person()), buyer).json
    world.settle(without=("expiration", "tickets"))
    pay(world, other, buyer)
    world.time.advance(days=2)
    world.repair("payments.reconciler")

    assert ages == [0, timedelta(days=2).total_seconds()]


def test_a_failed_refund_is_counted_once_and_not_tried_again(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, metrics: Counter[str]
) -> None:
    _cancelled_with_captured_money(world, order, buyer, stripe, "tok_pendingRefund")
    settle(world)
    (made,) = stripe.api("GET", "/v1/refunds")["data"]
    stripe.account.handle("POST", f"/local/refunds/{made['id']}", {}, "status=failed")
    stripe.webhooks(world)
    stripe.account.deliver_again(since=0)
    stripe.webhooks(world)
    reconcile(world)

    assert payment_of(world, order)["refundStatus"] == "failed"
    assert metrics["RefundsFailed"] == 1
    assert metrics["RefundsPending"] >= 1
    assert len(stripe.api("GET", "/v1/refunds")["data"]) == 1


def test_a_refused_refund_ends_without_a_dead_letter_and_can_be_made_by_hand(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, metrics: Counter[str]
) -> None:
    stripe_id = _cancelled_with_captured_money(world, order, buyer, stripe)
    stripe.account.handle(
        "POST", "/local/refusals", {}, f"payment_intent={stripe_id}&call=refund&code=charge_not_refundable&seconds=60"
    )
    settle(world)
    reconcile(world)

    payment = payment_of(world, order)
    assert (payment["status"], payment["refundStatus"]) == ("captured", "failed")
    assert "unsettledPartition" not in payment
    assert metrics["RefundsFailed"] == 1
    assert len([call for call in stripe.calls if call == "post /v1/refunds"]) == 1

    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}")
    stripe.webhooks(world)
    assert payment_of(world, order)["status"] == "refunded"
    assert "refundStatus" not in payment_of(world, order)


def test_a_refund_by_hand_that_fails_after_all_is_recorded(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, metrics: Counter[str]
) -> None:
    stripe_id = pay(world, order, buyer, "tok_refundFail").json["stripeId"]
    settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}")
    stripe.webhooks(world)
    settle(world)
    assert status_of(world, order, buyer) == "refunded"

    world.time.advance(seconds=60)
    stripe.account.tick()
    stripe.webhooks(world, only="refund.failed")

    payment = payment_of(world, order)
    assert (payment["status"], payment["refundStatus"]) == ("refunded", "failed")
    assert metrics["RefundsFailed"] == 1


def test_a_refused_void_of_an_orphan_makes_stripe_retry(world: World, order: dict[str, Any], stripe: Stripe) -> None:
    orphan = charge_by_hand(stripe, order["id"], capture="manual")
    stripe.account.handle(
        "POST", "/local/refusals", {}, f"payment_intent={orphan}&call=cancel&code=account_closed&seconds=600"
    )
    world.time.advance(minutes=6)
    assert tell_of(world, orphan) == 503

    world.time.advance(minutes=6)
    assert tell_of(world, orphan) == 200
    assert stripe.api("GET", f"/v1/payment_intents/{orphan}")["status"] == "canceled"


def test_a_refused_refund_of_an_orphan_is_counted(
    world: World, order: dict[str, Any], stripe: Stripe, metrics: Counter[str]
) -> None:
    orphan = charge_by_hand(stripe, order["id"])
    stripe.refuse(orphan, "refund", "charge_not_refundable")
    world.time.advance(minutes=6)

    assert {answer.status for answer in stripe.webhooks(world, only="payment_intent.succeeded")} == {200}
    assert metrics["RefundsFailed"] == 1


def test_more_than_ten_refunds_are_all_counted(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    for _ in range(12):
        stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}&amount=100")
    stripe.webhooks(world)

    assert payment_of(world, order)["refunded"] == 1200


def test_a_refund_whose_response_was_lost_is_not_made_twice(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer)
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/capture")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    cancelled = next(event for event in world.published() if event["detail-type"] == "order:cancelled")
    stripe.inject(RESPONSE_LOST, "refunds")

    assert not world.deliver(cancelled, "payments")
    assert world.deliver(cancelled, "payments")
    assert len(stripe.api("GET", "/v1/refunds")["data"]) == 1


def test_duplicate_events_change_nothing(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    pay(world, order, buyer)
    events = world.settle(without=("expiration", "tickets"))
    for event in events:
        if event["detail-type"].startswith("order:"):
            assert world.deliver(event, "payments")
    settle(world)

    assert status_of(world, order, buyer) == "completed"
    assert stripe.intents()[0]["amount_received"] == 1250
    assert stripe.api("GET", "/v1/refunds")["data"] == []


def test_an_older_order_event_is_ignored(world: World, stripe: Stripe, buyer: Person) -> None:
    order = place(world, offer(world, world.person()), buyer).json
    created = next(event for event in world.published() if event["detail-type"] == "order:created")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    cancelled = next(event for event in world.published() if event["detail-type"] == "order:cancelled")
    world.deliver(cancelled, "payments")
    world.deliver(created, "payments")

    assert pay(world, order, buyer).code == "order_cancelled"


def test_an_intent_created_during_cancellation_is_cancelled(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = stripe.account.handle

    def cancel_first(method: str, path: str, headers: Any, body: Any = b"") -> Any:
        reply = handle(method, path, headers, body)
        if method == "POST" and path == "/v1/payment_intents":
            world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
            settle(world)
        return reply

    monkeypatch.setattr(stripe.account, "handle", cancel_first)

    assert pay(world, order, buyer).code == "order_cancelled"
    assert stripe.intents()[0]["status"] == "canceled"


@pytest.fixture
def _concurrent_start(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let another start of the payment run between creating a PaymentIntent and recording it, once."""
    handle = stripe.account.handle

    def start_meanwhile(method: str, path: str, headers: Any, body: Any = b"") -> Any:
        reply = handle(method, path, headers, body)
        if method == "POST" and path == "/v1/payment_intents":
            monkeypatch.setattr(stripe.account, "handle", handle)
            assert pay(world, order, buyer, token=None).status == 201
        return reply

    monkeypatch.setattr(stripe.account, "handle", start_meanwhile)


@pytest.mark.usefixtures("_concurrent_start")
def test_of_concurrent_intents_only_the_recorded_can_be_paid(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    assert pay(world, order, buyer).json["status"] == "authorized"

    statuses = sorted(intent["status"] for intent in stripe.intents())
    assert statuses == ["canceled", "requires_capture"]
    recorded = payment_of(world, order)["stripeID"]
    assert next(i for i in stripe.intents() if i["id"] == recorded)["status"] == "requires_capture"


@pytest.mark.usefixtures("_concurrent_start")
def test_the_later_of_concurrent_starts_answers_200(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer, token=None)

    assert (answer.status, answer.json["stripeId"]) == (200, payment_of(world, order)["stripeID"])


def test_an_open_payment_is_read_at_most_every_two_seconds(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer, token=None)
    stripe.calls.clear()
    for _ in range(3):
        world.call("GET", f"/api/payments/{order['id']}", by=buyer)
    assert len(stripe.calls) == 1

    world.time.advance(seconds=2)
    world.call("GET", f"/api/payments/{order['id']}", by=buyer)
    assert len(stripe.calls) == 2


def test_polling_finds_an_authorisation_without_webhook(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    stripe.account.handle("POST", f"/local/3ds/{answer.json['stripeId']}", {}, "outcome=complete")

    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["status"] == "authorized"
    settle(world)
    assert status_of(world, order, buyer) == "completed"


def test_while_stripe_is_down_the_recorded_status_is_shown(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer, token=None)
    stripe.inject(UNREACHABLE, "get")
    answer = world.call("GET", f"/api/payments/{order['id']}", by=buyer)

    assert (answer.status, answer.json["status"]) == (200, "open")


def test_while_stripe_is_down_a_payment_cannot_be_started(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    stripe.inject(UNREACHABLE, "payment_intents")
    answer = pay(world, order, buyer)

    assert (answer.status, answer.code) == (503, "stripe_unavailable")
    assert pay(world, order, buyer).status == 201


def test_without_keys_only_payments_are_unavailable(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    empty = {"secretKey": "", "publishableKey": "", "webhookSecret": ""}
    boto3.client("secretsmanager").put_secret_value(SecretId=stripe.secret_arn, SecretString=json.dumps(empty))
    world.time.advance(minutes=2)

    answer = pay(world, order, buyer)
    assert (answer.status, answer.code) == (503, "payments_not_configured")
    assert deliver_webhook(world, {}).status == 503
    assert world.call("DELETE", f"/api/orders/{order['id']}", by=buyer).status == 204
    settle(world)


def test_the_same_idempotency_key_pays_once(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    first = pay(world, order, buyer, Idempotency_Key="k")
    again = pay(world, order, buyer, Idempotency_Key="k")

    assert (again.status, again.json) == (first.status, first.json)
    assert len([call for call in stripe.calls if call.endswith("/confirm")]) == 1


def test_a_decline_is_stored_under_the_key_but_not_a_timeout(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    for _ in range(2):
        assert pay(world, order, buyer, token="tok_chargeDeclined", Idempotency_Key="declined").status == 402
    assert len([call for call in stripe.calls if call.endswith("/confirm")]) == 1

    stripe.inject(UNREACHABLE, "confirm")
    assert pay(world, order, buyer, Idempotency_Key="again").status == 503
    assert pay(world, order, buyer, Idempotency_Key="again").status == 201


def test_a_duplicate_webhook_publishes_once(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    answer = pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    stripe.account.handle("POST", f"/local/3ds/{answer.json['stripeId']}", {}, "outcome=complete")
    event = next(
        json.loads(w.body)
        for w in stripe.account.pending_webhooks()
        if json.loads(w.body)["type"] == "payment_intent.amount_capturable_updated"
    )
    world.published()
    assert [deliver_webhook(world, event).status for _ in range(2)] == [200, 200]
    assert [event["detail-type"] for event in world.published()] == ["payment:authorized"]


def test_the_webhook_of_a_recorded_capture_reads_nothing_at_stripe(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    settle(world)
    stripe.calls.clear()

    assert stripe.webhooks(world, only="payment_intent.succeeded")[0].status == 200
    assert stripe.calls == []
    assert payment_of(world, order)["status"] == "captured"


def test_an_order_and_its_capture_are_recorded_in_one_write(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    revision = payment_of(world, order)["revision"]
    authorised = next(event for event in world.published() if event["detail-type"] == "payment:authorized")
    world.deliver(authorised, "orders")
    (awaiting,) = (event for event in world.published() if event["detail-type"] == "order:awaiting-payment")
    world.deliver(awaiting, "payments")

    payment = payment_of(world, order)
    assert (payment["orderStatus"], payment["status"]) == ("awaiting:payment", "captured")
    assert payment["revision"] == revision + 1


def test_an_order_to_be_captured_is_recorded_although_it_has_no_payment(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """After a restore of Payments: its record was lost."""
    pay(world, order, buyer)
    authorised = next(event for event in world.published() if event["detail-type"] == "payment:authorized")
    world.deliver(authorised, "orders")
    world.tables.resource.Table("payments").delete_item(Key={"pk": f"order#{order['id']}"})
    (awaiting,) = (event for event in world.published() if event["detail-type"] == "order:awaiting-payment")

    assert world.deliver(awaiting, "payments")
    assert payment_of(world, order)["orderStatus"] == "awaiting:payment"


def test_a_write_without_an_event_is_not_mistaken_for_another(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """Both keep the last event, which therefore shows of neither that it has taken effect."""
    pay(world, order, buyer)
    store = PaymentStore(Table("payments"))
    before = store.payment(order["id"])
    assert before
    store.replace(before, replace(before, declines=frozenset({"first"})))
    store.commit()
    store.replace(before, replace(before, declines=frozenset({"second"})))

    with pytest.raises(VersionConflict):
        store.commit()


def test_a_write_without_an_event_keeps_the_last_one_for_a_republication(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    settle(world)

    payment = payment_of(world, order)
    assert "event" not in payment, "the copy of the completed order invokes no relay"
    assert payment["lastEvent"]["type"] == "payment:created"


def test_a_webhook_without_a_valid_signature_is_refused(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    event = {"type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent", "id": "pi_1"}}}
    unsigned = world.call("POST", "/api/payments/webhook", event)
    forged = deliver_webhook(world, event, secret="whsec_other")
    too_old = deliver_webhook(world, event, age=301)

    assert {answer.code for answer in (unsigned, forged, too_old)} == {"bad_signature"}
    assert {answer.status for answer in (unsigned, forged, too_old)} == {400}
    assert stripe.calls == []


def test_a_refused_webhook_has_our_own_error_text(world: World, stripe: Stripe) -> None:
    """The text of Stripe's SDK is for developers and describes how the signature is checked."""
    answers = [
        world.call("POST", "/api/payments/webhook", {}, headers=headers)
        for headers in ({}, {"Stripe-Signature": "t=1,v1=x"}, {"Stripe-Signature": "nonsense"})
    ]
    answers.append(deliver_webhook(world, {}, age=301))

    assert {answer.json["detail"] for answer in answers} == {"the signature is missing, not made for us, or too old"}
    assert all("stripe" not in answer.text.lower() for answer in answers)


@pytest.mark.parametrize("raw", ["", "[]", "{", '"x"', "null", '{"type": 1, "data": []}'])
def test_a_signed_body_that_is_no_event_does_not_crash(world: World, stripe: Stripe, raw: str) -> None:
    assert deliver_webhook(world, None, raw=raw).status in (200, 400)


def test_a_webhooks_content_is_not_trusted(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    """It only names the PaymentIntent to read."""
    answer = pay(world, order, buyer, token=None)
    lie = {
        "type": "payment_intent.succeeded",
        "data": {"object": {"object": "payment_intent", "id": answer.json["stripeId"], "status": "succeeded"}},
    }

    assert deliver_webhook(world, lie).status == 200
    assert payment_of(world, order)["status"] == "open"


def test_payment_intents_of_other_stages_are_ignored(world: World, stripe: Stripe) -> None:
    """PaymentIntents of unknown origin are ignored, too."""
    other = stripe.api(
        "POST", "/v1/payment_intents", f"amount=1000&currency=usd&metadata[stage]=prod&metadata[orderID]={UNKNOWN}"
    )
    for stripe_id in (other["id"], "pi_of_somebody_else"):
        event = {
            "type": "payment_intent.succeeded",
            "data": {"object": {"object": "payment_intent", "id": stripe_id}},
        }
        assert deliver_webhook(world, event).status == 200
    assert world.items("payments") == []
    assert stripe.intents()[0]["status"] == "requires_payment_method"


def test_an_unrecorded_payment_intent_makes_stripe_retry(world: World, order: dict[str, Any], stripe: Stripe) -> None:
    ours = stripe.api(
        "POST", "/v1/payment_intents", f"amount=1250&currency=usd&metadata[stage]=test&metadata[orderID]={order['id']}"
    )
    event = {"type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent", "id": ours["id"]}}}

    assert deliver_webhook(world, event).status == 500


def charge_by_hand(stripe: Stripe, order_id: str, *, capture: str = "automatic") -> str:
    """Create a PaymentIntent with our metadata that Payments did not create; return its id."""
    card = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
    metadata = f"metadata[stage]=test&metadata[orderID]={order_id}"
    form = f"amount=1250&currency=usd&capture_method={capture}&{card}&{metadata}"
    return str(stripe.api("POST", "/v1/payment_intents", form)["id"])


def tell_of(world: World, stripe_id: str) -> int:
    event = {"type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent", "id": stripe_id}}}
    return deliver_webhook(world, event).status


def refunds(stripe: Stripe) -> list[int]:
    return [refund["amount"] for refund in stripe.api("GET", "/v1/refunds")["data"]]


@pytest.mark.parametrize("of", ["an order", "no order"])
def test_an_orphan_payment_intent_is_refunded_after_a_wait(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, of: str
) -> None:
    stripe_id = charge_by_hand(stripe, order["id"] if of == "an order" else new_id())
    world.time.advance(minutes=4, seconds=59)
    assert tell_of(world, stripe_id) == 500, "it may still be recorded"
    assert refunds(stripe) == []

    world.time.advance(seconds=1)
    assert [tell_of(world, stripe_id) for _ in range(2)] == [200, 200]
    assert refunds(stripe) == [1250]


def test_a_second_payment_intent_is_refunded_at_once(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The order is paid by its recorded one."""
    pay(world, order, buyer)
    assert tell_of(world, charge_by_hand(stripe, order["id"])) == 200
    settle(world)

    assert refunds(stripe) == [1250]
    assert status_of(world, order, buyer) == "completed"
    assert payment_of(world, order)["status"] == "captured"


def test_an_orphan_of_a_cancelled_order_is_refunded_at_once(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)

    assert tell_of(world, charge_by_hand(stripe, order["id"])) == 200
    assert refunds(stripe) == [1250]


def test_an_authorised_orphan_is_cancelled_after_a_wait(world: World, order: dict[str, Any], stripe: Stripe) -> None:
    stripe_id = charge_by_hand(stripe, order["id"], capture="manual")
    assert tell_of(world, stripe_id) == 500
    world.time.advance(minutes=5)

    assert tell_of(world, stripe_id) == 200
    assert stripe.intents()[0]["status"] == "canceled"


def test_an_orphan_is_refunded_once_less_earlier_refunds(world: World, order: dict[str, Any], stripe: Stripe) -> None:
    """A lost response does not cause a second refund."""
    stripe_id = charge_by_hand(stripe, order["id"])
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}&amount=500")
    world.time.advance(minutes=5)
    stripe.inject(RESPONSE_LOST, "refunds")

    assert [tell_of(world, stripe_id) for _ in range(2)] == [503, 200]
    assert refunds(stripe) == [750, 500]


@pytest.mark.parametrize("verdict", ["won", "lost"])
def test_a_disputed_orphan_waits_for_the_bank(
    world: World, order: dict[str, Any], stripe: Stripe, verdict: str
) -> None:
    stripe_id = charge_by_hand(stripe, order["id"])
    dispute = stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={stripe_id}").body
    world.time.advance(minutes=5)
    assert tell_of(world, stripe_id) == 200
    assert refunds(stripe) == []

    stripe.account.handle("POST", f"/local/disputes/{dispute['id']}/close", {}, f"status={verdict}")
    stripe.webhooks(world, only="charge.dispute.closed")
    assert refunds(stripe) == ([1250] if verdict == "won" else [])


@pytest.mark.parametrize("capture", ["automatic", "manual"])
def test_the_reconciler_refunds_orphans_without_webhook(
    world: World, order: dict[str, Any], stripe: Stripe, capture: str
) -> None:
    charge_by_hand(stripe, order["id"], capture=capture)
    world.time.advance(minutes=3)
    world.repair("payments.reconciler")
    assert stripe.intents()[0]["status"] != "canceled", "it may still be recorded"
    assert refunds(stripe) == []

    reconcile(world)
    assert refunds(stripe) == ([1250] if capture == "automatic" else [])
    assert stripe.intents()[0]["status"] == ("succeeded" if capture == "automatic" else "canceled")


def test_the_reconciler_does_not_read_recorded_payments_again(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """If webhooks are broken, that would be one call for each purchase."""
    pay(world, order, buyer)
    settle(world)
    stripe.calls.clear()
    reconcile(world)

    assert set(stripe.calls) == {"get /v1/events"}


def test_an_orphan_of_a_completed_order_is_ignored(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """After a restore of Payments' table, the order may have been paid with it."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    world.tables.resource.Table("payments").update_item(
        Key={"pk": f"order#{order['id']}"},
        UpdateExpression="REMOVE stripeID, #status",
        ExpressionAttributeNames={"#status": "status"},
    )
    world.time.advance(minutes=10)

    assert tell_of(world, stripe_id) == 200
    assert refunds(stripe) == []


def test_a_refund_made_by_hand_is_recorded(world: World, order: dict[str, Any], buyer: Person, stripe: Stripe) -> None:
    answer = pay(world, order, buyer)
    settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={answer.json['stripeId']}")
    stripe.webhooks(world, only="charge.refunded")

    assert settle(world) == ["payment:refunded", "order:refunded"]
    shown = world.call("GET", f"/api/orders/{order['id']}", by=buyer).json
    assert (shown["status"], shown["refund"]["amount"]) == ("refunded", "12.50")
    assert shown["refund"]["reason"] == "refunded_at_stripe"
    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["amountRefunded"] == 1250
    assert "unsettledPartition" not in payment_of(world, order)


def test_partial_refunds_made_by_hand_add_up(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The order is refunded once they reach its price."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    shown = []
    for amount in (300, 200, 750):
        stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}&amount={amount}")
        stripe.webhooks(world, only="charge.refunded")
        settle(world)
        now = world.call("GET", f"/api/orders/{order['id']}", by=buyer).json
        paid = world.call("GET", f"/api/payments/{order['id']}", by=buyer).json
        shown.append((now["status"], now["refund"]["amount"], paid["status"], paid["amountRefunded"]))
        assert "unsettledPartition" not in payment_of(world, order)

    assert shown == [
        ("completed", "3.00", "captured", 300),
        ("completed", "5.00", "captured", 500),
        ("refunded", "12.50", "refunded", 1250),
    ]


@pytest.mark.parametrize(("verdict", "status"), [("lost", "refunded"), ("won", "completed")])
def test_only_a_lost_dispute_refunds_the_order(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, verdict: str, status: str
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    dispute = stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={stripe_id}").body
    stripe.account.handle("POST", f"/local/disputes/{dispute['id']}/close", {}, f"status={verdict}")
    stripe.webhooks(world)
    settle(world)

    shown = world.call("GET", f"/api/orders/{order['id']}", by=buyer).json
    assert shown["status"] == status
    assert shown.get("refund", {}).get("reason") == ("dispute_lost" if verdict == "lost" else None)


@pytest.mark.parametrize("lost", ["payment:refunded", "order:refunded"])
def test_an_order_is_refunded_despite_a_dead_lettered_message(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, lost: str
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}")
    stripe.webhooks(world, only="charge.refunded")
    for event in world.published():
        if event["detail-type"] != lost:
            assert world.deliver(event, "orders")
            world.published()
    assert "unsettledPartition" in payment_of(world, order)
    reconcile(world)
    settle(world)

    assert status_of(world, order, buyer) == "refunded"
    assert "unsettledPartition" not in payment_of(world, order)


def test_a_partial_refund_is_recorded_despite_a_lost_message(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}&amount=500")
    stripe.webhooks(world, only="charge.refunded")
    assert [event["detail-type"] for event in world.published()] == ["payment:partly-refunded"]
    reconcile(world)
    settle(world)

    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["refund"]["amount"] == "5.00"
    assert "unsettledPartition" not in payment_of(world, order)


def test_a_refund_received_before_the_capture_is_published_again(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """It is published again once the order has completed."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    world.deliver(world.published()[0], "payments")
    (captured,) = world.published()
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}")
    stripe.webhooks(world, only="charge.refunded")
    (refunded,) = world.published()
    assert world.deliver(refunded, "orders")
    assert status_of(world, order, buyer) == "awaiting:payment"
    assert world.deliver(captured, "orders")
    assert settle(world) == ["order:completed", "payment:refunded", "order:refunded"]

    assert status_of(world, order, buyer) == "refunded"


def test_a_refund_after_a_partial_one_returns_the_rest(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The order was cancelled."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    world.published()
    stripe.api("POST", f"/v1/payment_intents/{stripe_id}/capture")
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}&amount=500")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    settle(world)

    assert [refund["amount"] for refund in stripe.api("GET", "/v1/refunds")["data"]] == [750, 500]
    paid = world.call("GET", f"/api/payments/{order['id']}", by=buyer).json
    assert (paid["status"], paid["amountRefunded"]) == ("refunded", 1250)
    assert status_of(world, order, buyer) == "cancelled"
    assert "unsettledPartition" not in payment_of(world, order)


def test_a_refund_without_a_stored_amount_counts_as_full(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """Payments refunded before amounts were stored have none."""
    stripe_id = pay(world, order, buyer).json["stripeId"]
    settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe_id}")
    stripe.webhooks(world, only="charge.refunded")
    world.tables.resource.Table("payments").update_item(
        Key={"pk": f"order#{order['id']}"}, UpdateExpression="REMOVE refunded"
    )

    assert world.call("GET", f"/api/payments/{order['id']}", by=buyer).json["amountRefunded"] == 1250


def test_a_capture_by_hand_before_orders_decides_completes(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """The order does not wait until it is cancelled at its deadline and refunded."""
    answer = pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    stripe.account.handle("POST", f"/local/3ds/{answer.json['stripeId']}", {}, "outcome=complete")
    stripe.api("POST", f"/v1/payment_intents/{answer.json['stripeId']}/capture")
    stripe.webhooks(world, only="payment_intent.succeeded")

    assert settle(world) == ["payment:created", "order:completed"]
    assert status_of(world, order, buyer) == "completed"
    assert "unsettledPartition" not in payment_of(world, order)


def test_the_reconciler_finds_refunds_and_lost_disputes(world: World, buyer: Person, stripe: Stripe) -> None:
    """Their webhooks were lost."""
    orders = []
    for _ in range(2):
        order = place(world, offer(world, world.person()), buyer).json
        world.settle(without=("expiration", "tickets"))
        orders.append((order, pay(world, order, buyer).json["stripeId"]))
        settle(world)
    stripe.api("POST", "/v1/refunds", f"payment_intent={orders[0][1]}")
    dispute = stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={orders[1][1]}").body
    stripe.account.handle("POST", f"/local/disputes/{dispute['id']}/close", {}, "status=lost")
    reconcile(world)

    assert settle(world) == ["payment:refunded", "payment:refunded", "order:refunded", "order:refunded"]
    assert {payment_of(world, order)["reason"] for order, _ in orders} == {"refunded_at_stripe", "dispute_lost"}
    reconcile(world)
    assert settle(world) == []


def test_the_reconciler_finds_an_authorisation_without_webhook(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    answer = pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    stripe.account.handle("POST", f"/local/3ds/{answer.json['stripeId']}", {}, "outcome=complete")
    reconcile(world)
    settle(world)

    assert status_of(world, order, buyer) == "completed"


@pytest.mark.parametrize("lost", ["payment:authorized", "order:awaiting-payment", "payment:created", "order:completed"])
def test_payments_settle_despite_a_dead_lettered_message(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, lost: str
) -> None:
    pay(world, order, buyer)
    events = world.published()
    while events:
        for event in events:
            if event["detail-type"] == lost:
                lost = "none more"
                continue
            for service in {"payment": ["orders"], "order": ["payments"]}[event["detail-type"].partition(":")[0]]:
                assert world.deliver(event, service)
        events = world.published()
    reconcile(world)
    settle(world)

    assert status_of(world, order, buyer) == "completed"
    assert payment_of(world, order)["status"] == "captured"
    assert "unsettledPartition" not in payment_of(world, order)


@pytest.mark.parametrize(
    "by_hand",
    [
        [("/v1/payment_intents/{}/cancel", "")],
        [("/v1/payment_intents/{}/capture", ""), ("/v1/refunds", "payment_intent={}")],
    ],
    ids=["cancelled", "captured and refunded"],
)
def test_a_lost_order_event_ends_though_the_funds_are_gone(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe, by_hand: list[tuple[str, str]]
) -> None:
    pay(world, order, buyer)
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    assert [event["detail-type"] for event in world.published()] == ["order:awaiting-payment"], "this event is lost"
    intent = stripe.intents()[0]["id"]
    for path, form in by_hand:
        stripe.api("POST", path.format(intent), form.format(intent))
    for _ in range(2):  # one finds that the funds are gone, one publishes that to Orders
        reconcile(world)
        settle(world)

    assert status_of(world, order, buyer) == "cancelled"
    assert "unsettledPartition" not in payment_of(world, order)


def test_a_dead_lettered_cancellation_still_releases_the_hold(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    world.published()  # both payment:authorized and order:cancelled are lost
    reconcile(world)
    settle(world)

    assert stripe.intents()[0]["status"] == "canceled"
    assert payment_of(world, order)["status"] == "voided"


def test_an_abandoned_open_payment_is_voided(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    """Its cancellation was dead-lettered."""
    pay(world, order, buyer, token="pm_card_threeDSecure2Required")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    world.published()
    reconcile(world)
    assert stripe.intents()[0]["status"] == "requires_action", "the buyer may still be paying"

    world.time.advance(minutes=12)
    reconcile(world)
    assert stripe.intents()[0]["status"] == "canceled"


def test_the_reconciler_refunds_only_after_order_cancelled(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.deliver(next(e for e in world.published() if e["detail-type"] == "payment:authorized"), "orders")
    world.deliver(world.published()[0], "payments")
    world.published()  # payment:created has not been delivered yet
    reconcile(world)

    assert stripe.api("GET", "/v1/refunds")["data"] == []
    assert settle(world)[0] == "payment:created"
    assert status_of(world, order, buyer) == "completed"


def test_the_reconciler_ignores_recent_payments(
    world: World, order: dict[str, Any], buyer: Person, stripe: Stripe
) -> None:
    pay(world, order, buyer)
    world.published()
    stripe.calls.clear()
    world.time.advance(minutes=1)
    world.invoke("payments.reconciler", {})

    assert [call for call in stripe.calls if "payment_intents" in call] == []
    assert world.published() == []


@pytest.mark.parametrize(("price", "currency", "amount"), [("500", "jpy", 500), ("19.99", "eur", 1999)])
def test_the_amount_is_in_the_currencys_smallest_unit(
    world: World, buyer: Person, stripe: Stripe, price: str, currency: str, amount: int
) -> None:
    order = {
        "id": new_id(),
        "version": 1,
        "status": "created",
        "userID": buyer.id,
        "expiresAt": "2026-11-23T12:05:00Z",
        "ticket": {"id": new_id(), "title": "A seat", "price": price, "currency": currency, "hold": 1},
    }
    world.deliver(new_event("order:created", order), "payments")

    assert pay(world, order, buyer).json["amount"] == amount
    assert (stripe.intents()[0]["amount"], stripe.intents()[0]["currency"]) == (amount, currency)
