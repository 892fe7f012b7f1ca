"""The operator's refund goes through Orders, in the seller's name."""

from collections.abc import Callable
from typing import Any

import pytest

from operations.refund import NotRefunded, refund, seller_of
from shared import settings
from shared.ids import new_id
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

PROOF = "the proof"


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def order(world: World, stripe: Stripe, seller: Person, buyer: Person) -> str:
    """Return a completed order."""
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json["id"]
    world.settle(without=("expiration",))
    placed = str(world.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json["id"])
    world.settle(without=("expiration",))
    world.call("POST", "/api/payments", {"orderId": placed, "token": "tok_visa"}, by=buyer)
    settle(world, stripe)
    return placed


def settle(world: World, stripe: Stripe) -> None:
    for _ in range(3):
        stripe.webhooks(world)
        world.settle(without=("expiration",))


def orders(world: World) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda event: dict(world.invoke("orders.api", event))


def run(world: World, order: str, seller: str, reason: str | None = None, proof: str = PROOF) -> str:
    return refund(orders(world), order_id=order, seller=seller, reason=reason, proof=proof)


def test_a_completed_order_is_refunded(world: World, stripe: Stripe, order: str, seller: Person, buyer: Person) -> None:
    assert seller_of("payments", order) == seller.id
    assert run(world, order, seller.id, "The concert is cancelled") == "refunding"
    settle(world, stripe)

    shown = world.call("GET", f"/api/orders/{order}", by=buyer).json
    assert (shown["status"], shown["refund"]["amount"]) == ("refunded", "12.50")


def test_a_repeated_refund_changes_nothing(world: World, order: str, seller: Person) -> None:
    assert [run(world, order, seller.id) for _ in range(2)] == ["refunding"] * 2


def test_the_request_passes_where_the_edge_is_required(
    world: World, order: str, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_PROOF", PROOF)
    settings.load.cache_clear()

    with pytest.raises(NotRefunded, match="not_through_edge"):
        run(world, order, seller.id, proof="another")
    assert run(world, order, seller.id) == "refunding"


@pytest.mark.parametrize("order_id", ["nonsense", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_an_order_without_a_seller_is_refused(world: World, order_id: str) -> None:
    with pytest.raises(NotRefunded, match=order_id):
        seller_of("payments", order_id)


def test_the_reason_of_orders_is_shown(world: World, seller: Person) -> None:
    with pytest.raises(NotRefunded, match="order_not_found"):
        run(world, new_id(), seller.id)
