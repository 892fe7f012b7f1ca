"""Payments: the limits of declined cards, for each order and for each buyer and day."""

from datetime import datetime
from typing import Any

import pytest

from functions.payments import declines
from functions.payments.payment import MAX_DECLINES_A_DAY
from functions.payments.store import PaymentStore
from shared.ids import UserID
from shared.table import Table
from stripe_emulator.account import SECRET_KEY
from tests.integration.placing import offer, place
from tests.support.faults import RESPONSE_LOST
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe, deliver_webhook
from tests.support.world import Response, World

VISA = "tok_visa"
DECLINED = "tok_chargeDeclined"
FAILED = "payment_intent.payment_failed"


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def order(world: World, stripe: Stripe, buyer: Person) -> str:
    return ordered(world, buyer)


def ordered(world: World, buyer: Person) -> str:
    placed = place(world, offer(world, world.person()), buyer)
    world.settle(without=("expiration", "tickets"))
    return str(placed.json["id"])


def pay(world: World, order: str, by: Person, token: str | None = DECLINED) -> Response:
    return world.call("POST", "/api/payments", {"orderId": order} | ({"token": token} if token else {}), by=by)


def decline_in_browser(stripe: Stripe, payment: dict[str, Any]) -> None:
    """Confirm with the client secret, as a browser does; the card is declined."""
    form = f"client_secret={payment['clientSecret']}&payment_method=pm_card_chargeDeclined"
    reply = stripe.account.handle(
        "POST", f"/v1/payment_intents/{payment['stripeId']}/confirm", {"Authorization": f"Bearer {SECRET_KEY}"}, form
    )
    assert reply.status == 402, reply.body


def payment_of(world: World, order: str) -> dict[str, Any]:
    return next(item for item in world.items("payments") if item["pk"] == f"order#{order}")


def counted(world: World) -> int:
    """Return the buyers' declines of all days."""
    return sum(int(item["count"]) for item in world.items("payments") if item["pk"].startswith("declines#"))


def test_the_fifth_decline_ends_the_payment(world: World, stripe: Stripe, buyer: Person, order: str) -> None:
    assert [pay(world, order, buyer).code for _ in range(5)] == ["card_declined"] * 5
    refused = pay(world, order, buyer, VISA)

    assert (refused.status, refused.code) == (409, "too_many_declines")
    assert pay(world, order, buyer, None).code == "too_many_declines"
    assert [intent["status"] for intent in stripe.intents()] == ["canceled"]
    assert (payment_of(world, order)["status"], payment_of(world, order)["reason"]) == ("voided", "too_many_declines")
    assert counted(world) == 5


def test_a_good_card_after_four_declines_pays(world: World, stripe: Stripe, buyer: Person, order: str) -> None:
    for _ in range(4):
        pay(world, order, buyer)

    assert pay(world, order, buyer, VISA).json["status"] == "authorized"
    assert counted(world) == 4
    assert "attempts" not in payment_of(world, order)


def test_five_declines_in_the_browser_end_the_payment(world: World, stripe: Stripe, buyer: Person, order: str) -> None:
    payment = pay(world, order, buyer, None).json
    for _ in range(5):
        decline_in_browser(stripe, payment)
    assert {answer.status for answer in stripe.webhooks(world, only=FAILED)} == {200}

    assert [intent["status"] for intent in stripe.intents()] == ["canceled"]
    assert pay(world, order, buyer, None).code == "too_many_declines"


def test_a_decline_by_token_counts_once_with_its_webhook(
    world: World, stripe: Stripe, buyer: Person, order: str
) -> None:
    for _ in range(2):
        pay(world, order, buyer)
        stripe.webhooks(world)
    stripe.webhooks(world)

    assert len(payment_of(world, order)["declines"]) == counted(world) == 2


def test_a_webhook_before_the_answer_counts_once(
    world: World, stripe: Stripe, buyer: Person, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = declines.record_decline

    def deliver_first(*args: Any) -> Any:
        monkeypatch.setattr("functions.payments.actions.record_decline", record)
        stripe.webhooks(world, only=FAILED)
        return record(*args)

    monkeypatch.setattr("functions.payments.actions.record_decline", deliver_first)
    pay(world, order, buyer)

    assert len(payment_of(world, order)["declines"]) == counted(world) == 1
    assert "attempts" not in payment_of(world, order)


def test_a_webhook_delivered_twice_counts_once(world: World, stripe: Stripe, buyer: Person, order: str) -> None:
    decline_in_browser(stripe, pay(world, order, buyer, None).json)
    [event] = [each for each in stripe.api("GET", "/v1/events?limit=100")["data"] if each["type"] == FAILED]
    for _ in range(3):
        assert deliver_webhook(world, event).status == 200

    assert counted(world) == 1


@pytest.mark.parametrize("token", ["pm_card_threeDSecure2Required", "tok_unknown", "lost"])
def test_only_declined_cards_count(world: World, stripe: Stripe, buyer: Person, order: str, token: str) -> None:
    if token == "lost":  # not a secret
        stripe.inject(RESPONSE_LOST, "confirm")
    pay(world, order, buyer, VISA if token == "lost" else token)

    assert counted(world) == 0
    assert "attempts" not in payment_of(world, order)


def test_concurrent_attempts_are_counted_before_stripe_is_called(
    world: World, stripe: Stripe, buyer: Person, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = type(stripe).request
    codes: list[str] = []

    def again_meanwhile(self: Stripe, method: str, url: str, *args: Any, **more: Any) -> Any:
        if url.endswith("/confirm"):
            codes.append(pay(world, order, buyer).code)
        return confirm(self, method, url, *args, **more)

    monkeypatch.setattr(type(stripe), "request", again_meanwhile)
    codes.append(pay(world, order, buyer).code)

    assert codes == ["unavailable"] + ["card_declined"] * 5
    assert pay(world, order, buyer).code == "too_many_declines"
    assert sum("/confirm" in call for call in stripe.calls) == 5


def test_twenty_declines_in_a_day_stop_the_buyer(world: World, stripe: Stripe, buyer: Person) -> None:
    orders = [ordered(world, buyer) for _ in range(6)]
    kept_open = pay(world, orders[5], buyer, None).json
    for order in orders[:4]:
        assert [pay(world, order, buyer).code for _ in range(5)] == ["card_declined"] * 5
    refused = pay(world, orders[4], buyer, VISA)

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_declines_today", "43200")
    assert pay(world, orders[4], buyer, None).status == 429
    decline_in_browser(stripe, kept_open)
    stripe.webhooks(world, only=FAILED)
    assert payment_of(world, orders[5])["status"] == "voided", "an open payment ends with its next decline"
    other = world.person()
    assert pay(world, ordered(world, other), other, VISA).status == 201, "other buyers are not affected"


def test_the_next_day_starts_at_zero(world: World, stripe: Stripe, buyer: Person) -> None:
    for _ in range(4):
        order = ordered(world, buyer)
        for _ in range(5):
            pay(world, order, buyer)
    world.time.advance(hours=12)

    assert pay(world, ordered(world, buyer), buyer, VISA).status == 201


def test_the_daily_count_is_exact(world: World, stripe: Stripe, buyer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The condition of the write decides, not the read before it."""
    store = PaymentStore(Table("payments"))
    store.count_declines(UserID(buyer.id), world.time.now(), MAX_DECLINES_A_DAY)
    store.commit()
    read = PaymentStore.declines
    stale = [0, 0]

    def read_stale(store: PaymentStore, user_id: UserID, day: datetime) -> int:
        return stale.pop() if stale else read(store, user_id, day)

    monkeypatch.setattr(PaymentStore, "declines", read_stale)

    assert pay(world, ordered(world, buyer), buyer, VISA).code == "too_many_declines_today"
    assert not any("/confirm" in call for call in stripe.calls)
