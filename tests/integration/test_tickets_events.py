"""How a ticket follows its orders' events (reserved, kept, sold, freed) in any order and with duplicates."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.tickets.store import TicketStore
from shared import clock
from shared.ids import TicketID, new_id
from shared.table import Table
from shared.unit_of_work import VersionConflict
from tests.support.lambda_events import Person, envelope, sqs_batch
from tests.support.world import World

WINDOW = timedelta(minutes=5)


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def ticket_id(world: World, seller: Person) -> str:
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller)
    return str(answer.json["id"])


class OrderOf:
    """An order for a ticket, as Orders publishes it; `hold` is the hold version that its creation made."""

    def __init__(self, ticket_id: str, *, hold: int = 1) -> None:
        self.id = new_id()
        self.ticket_id = ticket_id
        self.hold = hold
        self.user_id = new_id()
        self.deadline = clock.now() + WINDOW

    def created(self) -> dict[str, Any]:
        return self._event("order:created", "created", 0)

    def awaiting_payment(self) -> dict[str, Any]:
        return self._event("order:awaiting-payment", "awaiting:payment", 1)

    def completed(self) -> dict[str, Any]:
        return self._event("order:completed", "completed", 2)

    def cancelled(self, *, after: int = 1, reason: str = "expired") -> dict[str, Any]:
        return self._event("order:cancelled", "cancelled", after, reason=reason)

    def _event(self, event_type: str, status: str, step: int, **more: object) -> dict[str, Any]:
        metadata = {"id": new_id(), "time": clock.to_rfc3339(clock.now()), "correlationId": "c", "causationId": "c"}
        data = {
            "id": self.id,
            "version": 1 + step,
            "status": status,
            "userID": self.user_id,
            "expiresAt": clock.to_rfc3339(self.deadline),
            "ticket": {
                "id": self.ticket_id,
                "title": "A seat",
                "price": "12.50",
                "currency": "usd",
                "hold": self.hold + step,
            },
        }
        return envelope(event_type, {"metadata": metadata, "data": data | more})

    def refunded(self, amount: str = "12.50") -> dict[str, Any]:
        return self._event("order:refunded", "refunded", 4, refund=self._refund(amount))

    def partly_refunded(self, amount: str) -> dict[str, Any]:
        return self._event("order:completed", "completed", 3, refund=self._refund(amount))

    def _refund(self, amount: str) -> dict[str, str]:
        return {"amount": amount, "reason": "refunded_at_stripe", "at": "2026-11-27T10:00:00.000Z"}


def deliver(world: World, *events: dict[str, Any]) -> None:
    for event in events:
        assert world.deliver(event, "tickets")


def status(world: World, ticket_id: str) -> str:
    return str(world.call("GET", f"/api/tickets/{ticket_id}").json["status"])


def published_data(world: World) -> dict[str, Any]:
    [event] = world.published()
    data: dict[str, Any] = event["detail"]["data"]
    return data


def test_an_order_reserves_the_ticket_until_its_deadline(world: World, ticket_id: str) -> None:
    deliver(world, OrderOf(ticket_id).created())

    assert status(world, ticket_id) == "reserved"
    world.time.advance(minutes=5, milliseconds=-1)
    assert status(world, ticket_id) == "reserved"
    world.time.advance(milliseconds=1)
    assert status(world, ticket_id) == "available"


def test_a_reserved_ticket_is_not_listed(world: World, ticket_id: str) -> None:
    deliver(world, OrderOf(ticket_id).created())

    assert world.call("GET", "/api/tickets").json["tickets"] == []


def test_a_reservation_is_published(world: World, ticket_id: str) -> None:
    world.published()
    order = OrderOf(ticket_id)
    deliver(world, order.created())

    data = published_data(world)
    assert (data["status"], data["change"], data["orderID"], data["version"]) == ("reserved", "reserved", order.id, 2)


def test_an_authorised_order_keeps_the_ticket_past_its_deadline(world: World, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created(), order.awaiting_payment())
    world.time.advance(hours=1)

    assert status(world, ticket_id) == "reserved"
    assert published_data(world)["change"] == "reserved"


def test_a_reservation_without_deadline_is_not_published_again(world: World, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created())
    world.published()
    deliver(world, order.awaiting_payment())

    assert world.published() == []
    [ticket] = world.items("tickets")
    assert (ticket["version"], ticket["lastEvent"]["type"]) == (2, "ticket:updated")
    assert "event" not in ticket, "the relay is not invoked"
    assert "onSalePartition" not in ticket


def test_a_write_that_keeps_the_version_conflicts_with_others(world: World, ticket_id: str) -> None:
    """Otherwise the change would bring back the deadline of the reservation."""
    order = OrderOf(ticket_id)
    deliver(world, order.created())
    store = TicketStore(Table("tickets"))
    before = store.ticket(TicketID(ticket_id))
    assert before
    deliver(world, order.awaiting_payment())
    store.replace(before, replace(before, version=before.version + 1), "declined")

    with pytest.raises(VersionConflict):
        store.commit()


def test_a_late_payment_event_reserves_a_lapsed_ticket_again(world: World, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created())
    world.time.advance(hours=1)
    assert status(world, ticket_id) == "available"

    deliver(world, order.awaiting_payment())
    assert status(world, ticket_id) == "reserved"


def test_a_completed_order_sells_the_ticket(world: World, seller: Person, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created(), order.awaiting_payment(), order.completed())

    assert status(world, ticket_id) == "sold"
    assert world.call("GET", "/api/tickets").json["tickets"] == []
    data = published_data(world)
    assert (data["status"], data["change"], data["orderID"]) == ("sold", "sold", order.id)
    [mine] = world.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    assert (mine["status"], mine["orderID"]) == ("sold", order.id)


def test_a_cancelled_order_frees_the_ticket(world: World, seller: Person, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created(), order.cancelled())

    assert status(world, ticket_id) == "available"
    data = published_data(world)
    assert (data["status"], data["change"]) == ("available", "freed")
    assert "orderID" not in data
    [listed] = world.call("GET", "/api/tickets").json["tickets"]
    assert listed["id"] == ticket_id


def test_a_duplicate_event_changes_and_publishes_nothing(world: World, ticket_id: str) -> None:
    created = OrderOf(ticket_id).created()
    deliver(world, created)
    world.published()
    before = world.items("tickets")
    deliver(world, created)

    assert world.items("tickets") == before


def test_a_cancellation_before_its_creation_reserves_nothing(world: World, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.cancelled(), order.created())

    assert status(world, ticket_id) == "available"
    [item] = world.items("tickets")
    assert "holdOrderID" not in item


def test_the_end_of_an_old_order_does_not_free_a_newer_hold(world: World, ticket_id: str) -> None:
    old = OrderOf(ticket_id)
    new = OrderOf(ticket_id, hold=3)  # a takeover: the cancellation of the old order was hold version 2
    deliver(world, old.created(), new.created(), old.cancelled())

    assert status(world, ticket_id) == "reserved"
    assert published_data(world)["orderID"] == new.id


def test_the_creation_of_an_old_order_does_not_change_a_sale(world: World, ticket_id: str) -> None:
    old, new = OrderOf(ticket_id), OrderOf(ticket_id, hold=3)
    deliver(world, new.created(), new.awaiting_payment(), new.completed(), old.created())

    assert status(world, ticket_id) == "sold"


def test_a_sale_needs_no_earlier_event(world: World, ticket_id: str) -> None:
    deliver(world, OrderOf(ticket_id).completed())

    assert status(world, ticket_id) == "sold"


@pytest.mark.parametrize("number", range(24))
def test_the_last_change_stays_in_any_order_of_events(world: World, ticket_id: str, number: int) -> None:
    first, second = OrderOf(ticket_id), OrderOf(ticket_id, hold=3)
    sequence = [first.created(), first.cancelled(), second.created(), second.awaiting_payment()]
    shuffled = list(itertools.permutations(sequence))[number]
    deliver(world, *shuffled, *shuffled)
    world.time.advance(hours=1)

    assert status(world, ticket_id) == "reserved"
    assert published_data(world)["orderID"] == second.id


def test_the_version_rises_by_one_with_each_write(world: World, seller: Person, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    path = f"/api/tickets/{ticket_id}"
    versions = [published_data(world)["version"]]
    deliver(world, order.created())
    versions.append(published_data(world)["version"])
    deliver(world, order.cancelled())
    versions.append(published_data(world)["version"])
    world.call("PUT", path, {"title": "Two seats", "price": "30"}, by=seller)
    versions.append(published_data(world)["version"])
    world.call("DELETE", path, by=seller)
    versions.append(published_data(world)["version"])

    assert versions == [1, 2, 3, 5, 7]  # 4 and 6 requested the changes


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_held_ticket_can_be_neither_edited_nor_withdrawn(
    world: World, seller: Person, ticket_id: str, method: str
) -> None:
    deliver(world, OrderOf(ticket_id).created())
    world.published()

    answer = change(world, seller, ticket_id, method)
    assert (answer.status, answer.code) == (409, "ticket_held")
    assert world.published() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_sold_ticket_can_be_neither_edited_nor_withdrawn(
    world: World, seller: Person, ticket_id: str, method: str
) -> None:
    deliver(world, OrderOf(ticket_id).completed())
    world.published()

    answer = change(world, seller, ticket_id, method)
    assert (answer.status, answer.code) == (409, "ticket_sold")
    assert world.published() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_ticket_can_be_changed_from_its_deadline_on(
    world: World, seller: Person, ticket_id: str, method: str
) -> None:
    deliver(world, OrderOf(ticket_id).created())
    world.time.advance(minutes=5, milliseconds=-1)
    assert change(world, seller, ticket_id, method).status == 409

    world.time.advance(milliseconds=1)
    assert change(world, seller, ticket_id, method).status in (200, 204)


def change(world: World, seller: Person, ticket_id: str, method: str) -> Any:
    body = {"title": "Two seats", "price": "30"} if method == "PUT" else None
    return world.call(method, f"/api/tickets/{ticket_id}", body, by=seller)


def test_an_edit_after_a_lapse_keeps_the_lapsed_hold(world: World, seller: Person, ticket_id: str) -> None:
    """A late payment event still reserves the ticket."""
    order = OrderOf(ticket_id)
    deliver(world, order.created())
    world.time.advance(minutes=5)
    change(world, seller, ticket_id, "PUT")
    deliver(world, order.created(), order.awaiting_payment())

    assert status(world, ticket_id) == "reserved"


def test_an_order_just_before_the_withdrawal_gets_the_ticket(world: World, seller: Person, ticket_id: str) -> None:
    order = OrderOf(ticket_id)
    change(world, seller, ticket_id, "DELETE")
    deliver(world, order.created())
    assert status(world, ticket_id) == "reserved"

    deliver(world, order.cancelled())
    assert status(world, ticket_id) == "withdrawn"
    assert world.call("GET", "/api/tickets").json["tickets"] == []


def test_a_sold_or_withdrawn_ticket_leaves_the_listing_index(world: World, seller: Person, ticket_id: str) -> None:
    """Otherwise every listing would read all tickets ever sold."""
    withdrawn = world.call("POST", "/api/tickets", {"title": "A seat", "price": "1"}, by=seller).json["id"]
    assert all("onSalePartition" in item for item in world.items("tickets"))

    deliver(world, OrderOf(ticket_id).completed())
    change(world, seller, withdrawn, "DELETE")
    assert not any("onSalePartition" in item for item in world.items("tickets"))


def test_an_edit_concurrent_with_an_order_is_checked_again(
    world: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TicketStore.request
    orders = [OrderOf(ticket_id).created()]

    def interrupted(self: TicketStore, *args: Any) -> None:
        if orders:
            deliver(world, orders.pop())
        request(self, *args)

    monkeypatch.setattr(TicketStore, "request", interrupted)
    answer = change(world, seller, ticket_id, "PUT")

    assert (answer.status, answer.code) == (409, "ticket_held")
    assert status(world, ticket_id) == "reserved"


def test_an_event_for_an_unknown_ticket_is_ignored(world: World) -> None:
    deliver(world, OrderOf(new_id()).created())

    assert world.items("tickets") == []


def test_only_an_invalid_event_is_retried(world: World, ticket_id: str) -> None:
    broken = OrderOf(ticket_id).created()
    del broken["detail"]["data"]["ticket"]
    answer = world.invoke("tickets.listener", sqs_batch(broken, OrderOf(ticket_id).created()))

    assert answer["batchItemFailures"] == [{"itemIdentifier": "message-0"}]
    assert status(world, ticket_id) == "reserved"


def test_an_event_carries_the_trace_of_its_cause(world: World, ticket_id: str) -> None:
    world.published()
    created = OrderOf(ticket_id).created()
    deliver(world, created)

    [event] = world.published()
    metadata = event["detail"]["metadata"]
    assert metadata["correlationId"] == "c"
    assert metadata["causationId"] == created["detail"]["metadata"]["id"]


def mine(world: World, seller: Person) -> dict[str, Any]:
    [ticket] = world.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    return dict(ticket)


def test_the_seller_sees_refunds_and_a_full_one_withdraws(world: World, ticket_id: str, seller: Person) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created(), order.awaiting_payment(), order.completed())
    assert "refund" not in mine(world, seller)
    world.time.advance(minutes=1)
    shown = []
    for event in (order.partly_refunded("5.00"), order.refunded()):
        deliver(world, event)
        shown.append((mine(world, seller)["status"], mine(world, seller)["refund"]))

    at = {"reason": "refunded_at_stripe", "at": "2026-11-27T10:00:00.000Z"}
    assert shown == [("sold", {"amount": "5.00", **at}), ("withdrawn", {"amount": "12.50", **at})]
    assert "orderID" not in mine(world, seller)
    assert "refund" not in world.call("GET", f"/api/tickets/{ticket_id}").json
    assert world.call("GET", "/api/tickets").json["tickets"] == []


def test_a_refund_before_or_without_the_sale_withdraws_the_ticket(world: World, ticket_id: str, seller: Person) -> None:
    order = OrderOf(ticket_id)
    deliver(world, order.created(), order.refunded())
    assert published_data(world)["change"] == "refunded"
    deliver(world, order.partly_refunded("5.00"), order.completed(), order.refunded())

    assert world.published() == []
    assert (mine(world, seller)["status"], mine(world, seller)["refund"]["amount"]) == ("withdrawn", "12.50")
