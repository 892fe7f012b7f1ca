"""A table restored from a backup: its consumers follow it, although they have seen later versions."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from operations import restore as tool
from shared.ids import new_id
from tests.support.lambda_events import Person
from tests.support.world import World

WITHOUT = ("expiration",)


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def copy_of(world: World) -> Iterator[Any]:
    """Return a function that copies a service's table, as a restored backup, and returns the copy's name."""
    dynamodb = boto3.resource("dynamodb")
    made = []

    def make(service: str) -> str:
        source = dynamodb.Table(service)
        names = {key["AttributeName"] for key in source.key_schema}
        table = dynamodb.create_table(
            TableName=f"{service}-{new_id()}",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=source.key_schema,
            AttributeDefinitions=[each for each in source.attribute_definitions if each["AttributeName"] in names],
        )
        made.append(table)
        with table.batch_writer() as batch:
            for item in world.items(service):
                batch.put_item(Item=item)
        return str(table.name)

    yield make
    for table in made:
        table.delete()


def _sell(world: World, seller: Person) -> str:
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "10.00"}, by=seller).json
    world.settle(without=WITHOUT)
    return str(ticket["id"])


def _order(world: World, ticket: str, buyer: Person) -> dict[str, Any]:
    order = world.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer)
    assert order.status == 201, order.text
    world.settle(without=WITHOUT)
    return dict(order.json)


def _edit(world: World, ticket: str, seller: Person, price: str) -> None:
    assert world.call("PUT", f"/api/tickets/{ticket}", {"title": "A seat", "price": price}, by=seller).status == 200
    world.settle(without=WITHOUT)


def _restore(service: str, source: str) -> None:
    assert [*tool.restore(service=service, source=source, target=service)]


def _hold_in_tickets(world: World) -> str | None:
    (ticket,) = (item for item in world.items("tickets") if item["pk"].startswith("ticket#"))
    return ticket.get("holdOrderID")


def _later_orders_are_lost(world: World, seller: Person, copy_of: Any) -> tuple[dict[str, Any], str, str]:
    """Alice orders, a backup is made, she cancels and Bob orders. Return Alice's order, the ticket, and the backup."""
    ticket, alice = _sell(world, seller), world.person()
    order = _order(world, ticket, alice)
    backup = copy_of("orders")
    world.call("DELETE", f"/api/orders/{order['id']}", by=alice)
    world.settle(without=WITHOUT)
    _order(world, ticket, world.person())
    return order, ticket, backup


def test_tickets_and_payments_follow_restored_orders(world: World, seller: Person, copy_of: Any) -> None:
    order, _, backup = _later_orders_are_lost(world, seller, copy_of)
    assert _hold_in_tickets(world) != order["id"]
    _restore("orders", backup)
    world.settle(without=WITHOUT)
    assert _hold_in_tickets(world) == order["id"]
    statuses = {item["orderID"]: item["orderStatus"] for item in world.items("payments") if "orderID" in item}
    assert statuses[order["id"]] == "created"
    assert [item["id"] for item in world.items("orders") if item["sk"].startswith("order#")] == [order["id"]]


def test_without_raised_versions_they_do_not_follow(
    world: World, seller: Person, copy_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, _, backup = _later_orders_are_lost(world, seller, copy_of)
    lift = tool.lift
    monkeypatch.setattr(tool, "lift", lambda service, item, *, by: lift(service, item, by=0))
    _restore("orders", backup)
    world.settle(without=WITHOUT)
    assert _hold_in_tickets(world) != order["id"]


def test_later_orders_continue_from_the_raised_version(world: World, seller: Person, copy_of: Any) -> None:
    order, ticket, backup = _later_orders_are_lost(world, seller, copy_of)
    _restore("orders", backup)
    world.settle(without=WITHOUT)
    world.time.advance(minutes=6)
    taken_over = _order(world, ticket, world.person())
    assert _hold_in_tickets(world) == taken_over["id"]
    statuses = {item["orderID"]: item["orderStatus"] for item in world.items("payments") if "orderID" in item}
    assert statuses[order["id"]] == "cancelled"


def test_orders_follows_restored_tickets_and_their_next_edits(world: World, seller: Person, copy_of: Any) -> None:
    ticket = _sell(world, seller)
    backup = copy_of("tickets")
    _edit(world, ticket, seller, "20.00")
    _edit(world, ticket, seller, "30.00")
    _restore("tickets", backup)
    # The relay publishes each restored ticket with its stored event type: a creation.
    world.settle(without=WITHOUT)
    assert _order(world, ticket, world.person())["ticket"]["price"] == "10.00"


def test_a_restored_ticket_gets_its_order_by_republishing(world: World, seller: Person, copy_of: Any) -> None:
    ticket = _sell(world, seller)
    backup = copy_of("tickets")
    order = _order(world, ticket, world.person())
    _restore("tickets", backup)
    assert _hold_in_tickets(world) is None
    world._seen = {event for event in world._seen if event not in _ids(world, "orders")}
    world.settle(without=WITHOUT)
    assert _hold_in_tickets(world) == order["id"]


def _ids(world: World, service: str) -> set[str]:
    return {item["event"]["id"] for item in world.items(service) if "event" in item}


def test_an_edit_based_on_a_lost_version_is_outdated(world: World, seller: Person, copy_of: Any) -> None:
    ticket = _sell(world, seller)
    backup = copy_of("tickets")
    _edit(world, ticket, seller, "20.00")
    seen = world.call("GET", f"/api/tickets/{ticket}").json["version"]
    _restore("tickets", backup)
    body = {"title": "A better seat", "price": "20.00", "version": seen}
    assert world.call("PUT", f"/api/tickets/{ticket}", body, by=seller).code == "ticket_changed"


def test_a_restore_can_be_repeated(world: World, seller: Person, copy_of: Any) -> None:
    order, _, backup = _later_orders_are_lost(world, seller, copy_of)
    _restore("orders", backup)
    world.settle(without=WITHOUT)
    world.time.advance(seconds=1)
    _restore("orders", backup)
    world.settle(without=WITHOUT)
    assert _hold_in_tickets(world) == order["id"]


def test_restore_raises_only_the_payments_own_version() -> None:
    """The recorded version of the order stays."""
    item = {"pk": "order#1", "version": 2, "orderVersion": 3, "revision": 9}
    assert tool.lift("payments", item, by=1000) == item | {"version": 1002}
