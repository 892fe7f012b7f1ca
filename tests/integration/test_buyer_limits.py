"""Orders: how many tickets one buyer may hold, and how long."""

from typing import Any

import pytest

from shared import settings
from tests.integration.placing import offer, place
from tests.support.lambda_events import Person, new_event
from tests.support.world import World


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


def holds_of(world: World, buyer: Person) -> dict[str, Any]:
    [item] = [item for item in world.items("orders") if item["pk"] == f"user#{buyer.id}" and item["sk"] == "holds"]
    return item


def test_the_eleventh_unpaid_order_is_refused(world: World, seller: Person, buyer: Person) -> None:
    for _ in range(10):
        assert place(world, offer(world, seller), buyer).status == 201
        world.time.advance(seconds=10)
    refused = place(world, offer(world, seller), buyer)

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (409, "too_many_holds", "200")
    assert place(world, offer(world, seller), world.person()).status == 201, "other buyers are not affected"
    world.time.advance(seconds=200)
    assert place(world, offer(world, seller), buyer).status == 201


def test_the_limit_is_a_setting(world: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDS_PER_BUYER", "1")
    settings.load.cache_clear()
    assert place(world, offer(world, seller), buyer).status == 201

    assert place(world, offer(world, seller), buyer).code == "too_many_holds"


@pytest.mark.parametrize("event", ["cancelled", "payment:authorized"])
def test_an_order_that_has_ended_or_is_being_paid_makes_room(
    world: World, seller: Person, buyer: Person, event: str
) -> None:
    orders = [place(world, offer(world, seller), buyer).json for _ in range(10)]
    if event == "cancelled":
        assert world.call("DELETE", f"/api/orders/{orders[3]['id']}", by=buyer).status == 204
    else:
        data = {"id": "p", "version": 1, "orderId": orders[3]["id"], "userID": buyer.id, "stripeId": "pi_1"}
        assert world.deliver(new_event(event, data), "orders")

    assert place(world, offer(world, seller), buyer).status == 201
    assert place(world, offer(world, seller), buyer).code == "too_many_holds"


def test_a_lapsed_ticket_is_new_to_others_for_one_window(world: World, seller: Person, buyer: Person) -> None:
    ticket = offer(world, seller)
    place(world, ticket, buyer)
    world.time.advance(minutes=5)
    refused = place(world, ticket, buyer)

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (409, "recently_lapsed", "300")
    world.time.advance(minutes=5, milliseconds=-1)
    assert place(world, ticket, buyer).code == "recently_lapsed"
    world.time.advance(milliseconds=1)
    assert place(world, ticket, buyer).status == 201


def test_another_buyer_can_order_it_at_once(world: World, seller: Person, buyer: Person) -> None:
    ticket = offer(world, seller)
    place(world, ticket, buyer)
    world.time.advance(minutes=5)

    assert place(world, ticket, world.person()).status == 201


def test_cancelling_does_not_extend_the_time_to_pay(world: World, seller: Person, buyer: Person) -> None:
    ticket = offer(world, seller)
    first = place(world, ticket, buyer).json
    world.time.advance(minutes=4)
    world.call("DELETE", f"/api/orders/{first['id']}", by=buyer)
    again = place(world, ticket, buyer)

    assert (again.status, again.json["expiresAt"]) == (201, first["expiresAt"])


def test_a_refusal_is_not_stored_under_the_key(world: World, seller: Person, buyer: Person) -> None:
    ticket = offer(world, seller)
    place(world, ticket, buyer)
    world.time.advance(minutes=5)
    headers = {"Idempotency-Key": "once"}
    assert world.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer, headers=headers).status == 409
    world.time.advance(minutes=5)

    assert world.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer, headers=headers).status == 201


def test_the_record_expires_and_fits_into_one_unit(world: World, seller: Person, buyer: Person) -> None:
    for _ in range(25):
        order = place(world, offer(world, seller), buyer).json
        world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    item = holds_of(world, buyer)

    assert place(world, offer(world, seller), buyer).code == "too_many_holds"
    assert len(item["windows"]) == 25
    size = sum(len(key) + 9 + 1 for key in item["windows"]) + 3 + len("windows")
    assert size + len(f"pk{item['pk']}skholdsholdsVersionttl") + 2 * 9 <= 1024
    assert item["ttl"] == int(world.time.now().timestamp()) + 601
