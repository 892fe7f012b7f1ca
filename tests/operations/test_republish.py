"""Republishing the last event of each of a table's items: complete, under the service's own name, and resumable."""

import json
from typing import Any

import pytest

from operations import republish as tool
from operations.republish import BadResumeToken, Progress
from shared import aws
from shared.publish import NotPublished
from tests.support.event_bus import FakeEventBus
from tests.support.lambda_events import Person, envelope, subscribers
from tests.support.world import World


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> FakeEventBus:
    made = FakeEventBus()
    monkeypatch.setattr(aws, "events", lambda: made)
    return made


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


def _sell(world: World, seller: Person, price: str = "10.00") -> str:
    return str(world.call("POST", "/api/tickets", {"title": "A seat", "price": price}, by=seller).json["id"])


def _run(table: str, token: str | None = None, pauses: list[float] | None = None) -> list[Progress]:
    waited = pauses if pauses is not None else []
    return [*tool.republish(table=table, bus="bus", service=table, token=token, sleep=waited.append)]


def _published(bus: FakeEventBus) -> list[tuple[str, dict[str, Any]]]:
    return [(entry["DetailType"], json.loads(entry["Detail"])["data"]) for entry in bus.taken]


def _state(world: World) -> list[dict[str, Any]]:
    """Return everything stored, except the ticket versions that Orders has recorded."""
    kept = [item for service in ("tickets", "orders", "payments") for item in world.items(service)]
    return [{name: value for name, value in item.items() if name != "ticketVersion"} for item in kept]


def test_a_new_consumer_learns_of_every_ticket(world: World, bus: FakeEventBus, seller: Person) -> None:
    tickets = {_sell(world, seller) for _ in range(3)}
    (done,) = _run("tickets")
    assert {data["id"] for _, data in _published(bus)} == tickets
    assert {entry["Source"] for entry in bus.taken} == {"admit-one.tickets"}
    assert (done.events, done.token) == (3, None)
    for entry in bus.taken:
        world.deliver(envelope(entry["DetailType"], json.loads(entry["Detail"])), "orders")
    buyer = world.person()
    assert {world.call("POST", "/api/orders", {"ticketID": each}, by=buyer).status for each in tickets} == {201}


def test_republishing_changes_nothing_in_current_consumers(world: World, bus: FakeEventBus, seller: Person) -> None:
    ticket = _sell(world, seller)
    world.settle(without=("expiration",))
    world.call("POST", "/api/orders", {"ticketID": ticket}, by=world.person())
    world.settle(without=("expiration",))
    before = _state(world)
    for table in ("tickets", "orders"):
        _run(table)
        for entry in bus.taken:
            event = envelope(entry["DetailType"], json.loads(entry["Detail"]))
            for consumer in {*subscribers(event)} - {"expiration"}:
                assert world.deliver(event, consumer)
        bus.calls.clear()
    assert _state(world) == before


def test_orders_gets_a_missed_edit_of_a_ticket_held_since(world: World, bus: FakeEventBus, seller: Person) -> None:
    ticket = _sell(world, seller)
    world.settle(without=("expiration",))
    edit = {"title": "A better seat", "price": "99.00"}
    assert world.call("PUT", f"/api/tickets/{ticket}", edit, by=seller).status == 200
    assert world.call("POST", "/api/orders", {"ticketID": ticket}, by=world.person()).status == 201
    world.settle(without=("expiration", "orders"))
    _run("tickets")
    echo, word = _published(bus)
    assert echo[1]["change"] == "reserved"
    assert (word[1]["change"], word[1]["price"]) == ("edited", "99.00")


@pytest.mark.parametrize("is_declined", [False, True])
def test_the_last_edit_is_published_only_without_pending_change(
    world: World, bus: FakeEventBus, seller: Person, is_declined: bool
) -> None:
    ticket = _sell(world, seller)
    world.settle(without=("expiration",))
    world.orders_decides = False
    edit = {"title": "A better seat", "price": "99.00"}
    assert world.call("PUT", f"/api/tickets/{ticket}", edit, by=seller).status == 202
    assert world.call("POST", "/api/orders", {"ticketID": ticket}, by=world.person()).status == 201
    world.settle(without=("expiration",) if is_declined else ("expiration", "orders"))
    _run("tickets")
    changes = [data["change"] for _, data in _published(bus)]
    assert changes == (["declined", "edited"] if is_declined else ["reserved"])


def test_republishing_resumes_at_its_token(
    world: World, bus: FakeEventBus, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "PAGE", 2)
    tickets = {_sell(world, seller) for _ in range(5)}
    first = next(tool.republish(table="tickets", bus="bus", service="tickets", sleep=lambda _: None))
    assert first.token
    assert len(bus.taken) == 2
    _run("tickets", first.token)
    assert sorted(data["id"] for _, data in _published(bus)) == sorted(tickets), "each once"


def test_republishing_keeps_its_rate(
    world: World, bus: FakeEventBus, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "PAGE", 2)
    for _ in range(3):
        _sell(world, seller)
    pauses: list[float] = []
    _run("tickets", pauses=pauses)
    assert pauses == [2 / tool.EVENTS_A_SECOND]


def test_a_failed_publish_raises(world: World, bus: FakeEventBus, seller: Person) -> None:
    _sell(world, seller)
    bus.is_down = True
    with pytest.raises(NotPublished):
        _run("tickets")


def test_an_invalid_token_is_refused(world: World, bus: FakeEventBus) -> None:
    with pytest.raises(BadResumeToken):
        _run("tickets", "abc")


def test_items_without_an_event_are_skipped(world: World, bus: FakeEventBus, seller: Person) -> None:
    headers = {"Idempotency-Key": "k"}
    world.call("POST", "/api/tickets", {"title": "A", "price": "1.00"}, by=seller, headers=headers)
    (done,) = _run("tickets")
    assert (done.items, done.events) == (2, 1)
