"""Refunds: by the seller, asked for by the buyer, and the ticket that is on sale again."""

from collections import Counter
from typing import Any

import pytest

from functions.orders.order import ANSWER_WITHIN, REFUND_WITHIN
from shared import telemetry
from shared.ids import new_id
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import Response, World

REASON = {"reason": "The concert is cancelled"}


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def order(world: World, stripe: Stripe, seller: Person, buyer: Person) -> dict[str, Any]:
    """Return a completed order, which every service knows."""
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json
    settle(world)
    return buy(world, ticket["id"], buyer)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the values of each business metric."""
    counted: Counter[str] = Counter()
    monkeypatch.setattr(telemetry, "_put", lambda metric, _value, _unit: counted.update([metric]))
    return counted


def settle(world: World, *without: str) -> list[str]:
    """Deliver everything; return the types of the events in order."""
    return [event["detail-type"] for event in world.settle(without=("expiration", *without))]


def buy(world: World, ticket_id: str, buyer: Person) -> dict[str, Any]:
    placed = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer)
    assert placed.status == 201, placed.text
    settle(world)
    body = {"orderId": placed.json["id"], "token": "tok_visa"}
    assert world.call("POST", "/api/payments", body, by=buyer).status == 201
    settle(world)
    return order_of(world, placed.json, buyer)


def order_of(world: World, order: dict[str, Any], buyer: Person) -> dict[str, Any]:
    return dict(world.call("GET", f"/api/orders/{order['id']}", by=buyer).json)


def ticket_of(world: World, seller: Person) -> dict[str, Any]:
    return dict(world.call("GET", "/api/tickets/mine", by=seller).json["tickets"][0])


def refund(world: World, order: dict[str, Any], by: Person | None, body: object = REASON, **headers: str) -> Response:
    return world.call(
        "POST",
        f"/api/orders/{order['id']}/refund",
        body,
        by=by,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def ask(world: World, order: dict[str, Any], by: Person | None, reason: str = "I am ill") -> Response:
    return world.call("POST", f"/api/orders/{order['id']}/refund-request", {"reason": reason}, by=by)


def relist(world: World, order: dict[str, Any], by: Person) -> Response:
    return world.call("POST", f"/api/tickets/{order['ticket']['id']}/relist", by=by)


def refunds(stripe: Stripe) -> list[int]:
    return [made["amount"] for made in stripe.api("GET", "/v1/refunds")["data"]]


def sweep(world: World) -> None:
    assert world.repair("orders.sweep") == []


def test_a_seller_refunds_a_sold_ticket(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, stripe: Stripe
) -> None:
    answer = refund(world, order, seller)

    assert (answer.status, answer.json["status"]) == (202, "refunding")
    assert answer.json["refundDecision"] == {"at": "2026-11-23T12:00:00.000Z", **REASON}
    assert order_of(world, order, buyer)["status"] == "refunding"
    assert ticket_of(world, seller)["status"] == "sold"
    published = [event for event in settle(world) if not event.startswith("ticket:")]
    assert published == ["order:refund-requested", "payment:refunded", "order:refunded"]
    shown = order_of(world, order, buyer)
    assert (shown["status"], shown["refund"]["amount"]) == ("refunded", "12.50")
    assert shown["refund"]["reason"] == "refunded_by_seller"
    assert refunds(stripe) == [1250]
    payment = world.call("GET", f"/api/payments/{order['id']}", by=buyer).json
    assert (payment["status"], payment["amountRefunded"]) == ("refunded", 1250)


def test_the_ticket_shows_its_seller_the_refund(world: World, order: dict[str, Any], seller: Person) -> None:
    refund(world, order, seller)
    settle(world, "payments")
    during = ticket_of(world, seller)
    assert (during["status"], during["refunding"], during["orderID"]) == ("sold", True, order["id"])


@pytest.mark.parametrize("body", [{}, {"reason": None}])
def test_a_refund_needs_no_reason(world: World, order: dict[str, Any], seller: Person, body: dict[str, None]) -> None:
    assert "reason" not in refund(world, order, seller, body).json["refundDecision"]


def test_a_second_refund_changes_nothing(world: World, order: dict[str, Any], seller: Person, stripe: Stripe) -> None:
    first = refund(world, order, seller)
    settle(world, "payments")
    again = refund(world, order, seller, {})

    assert (again.status, again.json) == (202, first.json)
    assert world.published() == []


def test_a_refund_with_a_key_is_answered_with_the_first_response(
    world: World, order: dict[str, Any], seller: Person, stripe: Stripe
) -> None:
    first = refund(world, order, seller, Idempotency_Key="key")
    settle(world)
    again = refund(world, order, seller, Idempotency_Key="key")

    assert (again.status, again.json) == (202, first.json)
    assert refund(world, order, seller).code == "order_refunded"
    assert refunds(stripe) == [1250]


def test_only_the_seller_can_refund(world: World, order: dict[str, Any], buyer: Person) -> None:
    for other in (buyer, world.person()):
        assert refund(world, order, other).code == "order_not_found"
    assert refund(world, {"id": "nonsense"}, buyer).code == "order_not_found"
    assert refund(world, {"id": new_id()}, buyer).code == "order_not_found"


def test_an_unpaid_order_is_no_sale(world: World, seller: Person, buyer: Person) -> None:
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json
    settle(world)
    placed = world.call("POST", "/api/orders", {"ticketID": ticket["id"]}, by=buyer).json

    assert refund(world, placed, seller).code == "order_not_found"
    assert ask(world, placed, buyer).code == "order_not_completed"


def test_the_rest_is_refunded_after_a_part_was_refunded_by_hand(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, stripe: Stripe
) -> None:
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe.intents()[0]['id']}&amount=500")
    stripe.webhooks(world)
    settle(world)
    refund(world, order, seller)
    settle(world)

    assert sorted(refunds(stripe)) == [500, 750]
    assert order_of(world, order, buyer)["refund"]["amount"] == "12.50"


def test_a_refund_by_hand_that_was_first_ends_the_order(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, stripe: Stripe
) -> None:
    """Its webhook was lost; the seller's refund finds the money gone."""
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe.intents()[0]['id']}")
    refund(world, order, seller)
    settle(world)

    assert refunds(stripe) == [1250]
    assert order_of(world, order, buyer)["status"] == "refunded"


@pytest.mark.parametrize("verdict", ["won", "lost"])
def test_disputed_money_is_refunded_once_the_bank_gives_it_back(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, stripe: Stripe, verdict: str
) -> None:
    intent = stripe.intents()[0]["id"]
    dispute = stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={intent}").body
    stripe.webhooks(world)
    refund(world, order, seller)
    settle(world)
    assert (order_of(world, order, buyer)["status"], refunds(stripe)) == ("refunding", [])

    stripe.account.handle("POST", f"/local/disputes/{dispute['id']}/close", {}, f"status={verdict}")
    stripe.webhooks(world)
    settle(world)

    shown = order_of(world, order, buyer)
    assert shown["status"] == "refunded"
    assert shown["refund"]["reason"] == ("refunded_by_seller" if verdict == "won" else "dispute_lost")
    assert refunds(stripe) == ([1250] if verdict == "won" else [])


def test_the_sweep_publishes_an_order_again_that_stays_refunding(
    world: World, order: dict[str, Any], seller: Person, buyer: Person
) -> None:
    refund(world, order, seller)
    world.published()  # lost
    world.time.advance(minutes=5, seconds=-1)
    sweep(world)
    assert world.published() == []

    world.time.advance(seconds=1)
    sweep(world)
    settle(world)

    assert order_of(world, order, buyer)["status"] == "refunded"
    assert not [item for item in world.items("orders") if "dueAt" in item]


def test_a_refund_that_takes_a_day_is_reported(
    world: World, order: dict[str, Any], seller: Person, metrics: Counter[str]
) -> None:
    refund(world, order, seller)
    world.time.advance(seconds=REFUND_WITHIN.total_seconds() - 1)
    sweep(world)
    assert metrics["RefundsOverdue"] == 0

    world.time.advance(seconds=REFUND_WITHIN.total_seconds())
    sweep(world)
    sweep(world)
    assert metrics["RefundsOverdue"] == 1


def test_a_buyer_asks_and_the_seller_sees_it(
    world: World, order: dict[str, Any], seller: Person, buyer: Person
) -> None:
    answer = ask(world, order, buyer)
    assert (answer.status, answer.text) == (202, "")
    settle(world)

    request = {"reason": "I am ill", "at": "2026-11-23T12:00:00.000Z"}
    assert order_of(world, order, buyer)["refundRequest"] == request
    ticket = ticket_of(world, seller)
    assert (ticket["refundRequest"], ticket["orderID"], ticket["status"]) == (request, order["id"], "sold")
    assert ask(world, order, buyer, "still").code == "refund_requested"
    assert ask(world, order, seller).code == "order_not_found"


def test_nobody_asks_for_a_refund_of_a_refunded_order(
    world: World, order: dict[str, Any], seller: Person, buyer: Person
) -> None:
    refund(world, order, seller)
    assert ask(world, order, buyer).code == "order_refunded"
    settle(world)
    assert ask(world, order, buyer).code == "order_refunded"


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "two\nlines", "\u202eright to left", "\x00"])
def test_a_reason_is_one_visible_line(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, reason: str
) -> None:
    for answer in (ask(world, order, buyer, reason), refund(world, order, seller, {"reason": reason})):
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, "reason")


def test_an_unanswered_request_is_reported_once_after_three_days(
    world: World, order: dict[str, Any], buyer: Person, metrics: Counter[str]
) -> None:
    ask(world, order, buyer)
    world.time.advance(seconds=ANSWER_WITHIN.total_seconds() - 1)
    sweep(world)
    assert metrics["RefundRequestsUnanswered"] == 0

    world.time.advance(seconds=1)
    for _ in range(2):
        sweep(world)
        world.time.advance(days=3)

    assert metrics["RefundRequestsUnanswered"] == 1


def test_a_granted_request_is_not_reported(
    world: World, order: dict[str, Any], seller: Person, buyer: Person, metrics: Counter[str]
) -> None:
    ask(world, order, buyer)
    refund(world, order, seller)
    settle(world)
    world.time.advance(days=4)
    sweep(world)

    assert metrics["RefundRequestsUnanswered"] == metrics["RefundsOverdue"] == 0


def test_a_refunded_ticket_is_sold_again_once_its_seller_relists_it(
    world: World, order: dict[str, Any], seller: Person, buyer: Person
) -> None:
    other = world.person("other@example.com")
    place = {"ticketID": order["ticket"]["id"]}
    refund(world, order, seller)
    settle(world)
    assert world.call("POST", "/api/orders", place, by=other).code == "ticket_withdrawn"
    assert ticket_of(world, seller)["status"] == "withdrawn"

    answer = relist(world, order, seller)
    assert (answer.status, answer.json["status"]) == (200, "available")
    assert "refund" not in answer.json
    settle(world)
    second = buy(world, order["ticket"]["id"], other)

    assert second["status"] == "completed"
    assert world.call("POST", "/api/orders", place, by=buyer).code == "ticket_sold"
    assert ticket_of(world, seller)["orderID"] == second["id"]
    assert order_of(world, order, buyer)["status"] == "refunded"


def test_only_a_refunded_ticket_can_be_relisted(
    world: World, order: dict[str, Any], seller: Person, buyer: Person
) -> None:
    assert relist(world, order, seller).code == "ticket_not_refunded"
    refund(world, order, seller)
    settle(world)
    assert relist(world, order, buyer).code == "not_your_ticket"
    assert relist(world, order, seller).status == 200
    assert relist(world, order, seller).code == "ticket_not_refunded"


def test_a_ticket_that_is_withdrawn_again_cannot_be_relisted(
    world: World, order: dict[str, Any], seller: Person
) -> None:
    refund(world, order, seller)
    settle(world)
    relist(world, order, seller)
    assert world.call("DELETE", f"/api/tickets/{order['ticket']['id']}", by=seller).status == 204

    assert relist(world, order, seller).code == "ticket_not_refunded"
