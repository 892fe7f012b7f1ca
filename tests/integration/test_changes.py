"""A seller's change: Tickets requests it, Orders decides it, and the seller's call waits for the decision."""

from collections.abc import Callable
from typing import Any

import pytest

from functions.orders.store import OrderStore
from functions.tickets.store import TicketStore
from shared.ids import new_id
from shared.table import Contention, Table
from tests.support.lambda_events import Person, envelope
from tests.support.stripe_in_process import Stripe
from tests.support.world import Response, World

EDIT = {"title": "Two seats", "price": "500.00"}
METHODS = pytest.mark.parametrize("method", ["PUT", "DELETE"])
KEY = {"Idempotency-Key": "k"}


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def ticket_id(world: World, seller: Person) -> str:
    """Return the id of a ticket on sale at 12.50, of which Orders has a copy."""
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller)
    world.settle()
    return str(answer.json["id"])


@pytest.fixture
def silent(world: World) -> World:
    """Return a world in which Orders receives no change request until the test delivers it."""
    world.orders_decides = False
    return world


def change(world: World, ticket_id: str, seller: Person, method: str = "PUT", **more: Any) -> Response:
    headers = more.pop("headers", None)
    body = EDIT | more if method == "PUT" else None
    return world.call(method, f"/api/tickets/{ticket_id}", body, by=seller, headers=headers)


def order(world: World, ticket_id: str, buyer: Person) -> Any:
    answer = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer)
    assert answer.status == 201, answer.text
    return answer.json


def ticket(world: World, ticket_id: str) -> Any:
    return world.call("GET", f"/api/tickets/{ticket_id}").json


def copy(world: World, ticket_id: str) -> dict[str, Any]:
    [item] = [item for item in world.items("orders") if item["pk"] == f"ticket#{ticket_id}"]
    return item


def order_status(world: World, placed: Any, buyer: Person) -> str:
    return str(world.call("GET", f"/api/orders/{placed['id']}", by=buyer).json["status"])


def requested(world: World) -> dict[str, Any]:
    """Return the request that was published last."""
    [event] = world.published({"ticket:change-requested"})
    return event


def decided(world: World) -> dict[str, Any]:
    """Return the decision that was published last."""
    [event] = world.published({"ticket:change-accepted", "ticket:change-declined"})
    return event


def is_changed(world: World, ticket_id: str, method: str) -> bool:
    """Return whether the change is in force in Tickets and in Orders; they must agree."""
    shown, kept = ticket(world, ticket_id), copy(world, ticket_id)
    here: bool = shown["price"] == "500.00" if method == "PUT" else shown["status"] == "withdrawn"
    there: bool = kept["price"] == "500.00" if method == "PUT" else kept["withdrawn"]
    assert here == there
    return here


@METHODS
def test_a_successful_change_is_in_force_in_orders(world: World, seller: Person, ticket_id: str, method: str) -> None:
    assert change(world, ticket_id, seller, method).status == {"PUT": 200, "DELETE": 204}[method]
    assert is_changed(world, ticket_id, method)


def test_a_request_carries_the_ticket_as_changed(silent: World, seller: Person, ticket_id: str) -> None:
    change(silent, ticket_id, seller)

    data = requested(silent)["detail"]["data"]
    assert data == {
        "id": ticket_id,
        "version": 2,
        "title": "Two seats",
        "price": "500.00",
        "currency": "usd",
        "userID": seller.id,
        "withdrawn": False,
        "changeID": data["changeID"],
    }


@METHODS
def test_a_slow_decision_is_answered_with_202(silent: World, seller: Person, ticket_id: str, method: str) -> None:
    began = silent.time.now()
    answer = change(silent, ticket_id, seller, method)

    assert (answer.status, answer.headers["Retry-After"]) == (202, "1")
    expected = {"title": "Two seats", "price": "500.00", "withdrawn": False}
    if method == "DELETE":
        expected = {"title": "A seat", "price": "12.50", "withdrawn": True}
    assert answer.json["pendingChange"] == expected
    assert (answer.json["price"], answer.json["status"]) == ("12.50", "available")
    assert (silent.time.now() - began).total_seconds() == pytest.approx(3)
    [mine] = silent.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    assert mine == answer.json
    assert "pendingChange" not in ticket(silent, ticket_id)  # as seen by others

    silent.decide_changes()
    assert is_changed(silent, ticket_id, method)
    [mine] = silent.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    assert "pendingChange" not in mine


@METHODS
@pytest.mark.parametrize("headers", [None, KEY])
def test_repeating_a_call_after_a_202_returns_the_outcome(
    silent: World, seller: Person, ticket_id: str, method: str, headers: dict[str, str] | None
) -> None:
    assert change(silent, ticket_id, seller, method, headers=headers).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, method, headers=headers).status in (200, 204)
    assert is_changed(silent, ticket_id, method)


def test_a_key_has_one_effect_despite_another_change_between(silent: World, seller: Person, ticket_id: str) -> None:
    """The other change came between the 202 and the repeated call."""
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.orders_decides = True
    assert change(silent, ticket_id, seller, price="600.00").status == 200
    before = silent.items("tickets")

    again = change(silent, ticket_id, seller, headers=KEY)
    assert (again.status, again.json["price"]) == (200, "600.00")
    after = [item for item in silent.items("tickets") if item["pk"].startswith("ticket#")]
    assert after == [item for item in before if item["pk"].startswith("ticket#")]


def test_a_declined_change_is_refused_again_under_its_key(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    """The ticket is free by the time of the repeated call."""
    placed = order(silent, ticket_id, buyer)  # Tickets has not received its event
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.call("DELETE", f"/api/orders/{placed['id']}", by=buyer)

    for _ in range(2):
        answer = change(silent, ticket_id, seller, headers=KEY)
        assert (answer.status, answer.code) == (409, "ticket_held")


def test_the_same_key_with_another_body_is_another_change(silent: World, seller: Person, ticket_id: str) -> None:
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, headers=KEY, price="7.00").json["price"] == "7.00"


def test_two_identical_concurrent_calls_make_one_change(silent: World, seller: Person, ticket_id: str) -> None:
    answers: list[Response] = []

    def meanwhile() -> None:
        silent.time.meanwhile = silent.decide_changes
        answers.append(change(silent, ticket_id, seller))

    silent.time.meanwhile = meanwhile
    answers.append(change(silent, ticket_id, seller))

    assert [answer.status for answer in answers] == [200, 200]
    assert copy(silent, ticket_id)["decisionNumber"] == 1


def test_two_different_concurrent_changes_apply_in_turn(silent: World, seller: Person, ticket_id: str) -> None:
    answers: list[Response] = []

    def meanwhile() -> None:
        silent.time.meanwhile = silent.decide_changes
        answers.append(change(silent, ticket_id, seller, price="600.00"))

    silent.time.meanwhile = meanwhile
    answers.append(change(silent, ticket_id, seller))

    second, first = answers
    assert (first.status, second.status, second.json["price"]) == (200, 200, "600.00")
    assert ticket(silent, ticket_id)["price"] == copy(silent, ticket_id)["price"] == "600.00"


@METHODS
def test_an_undecided_change_refuses_another_with_retry_after(
    silent: World, seller: Person, ticket_id: str, method: str
) -> None:
    assert change(silent, ticket_id, seller, price="600.00").status == 202

    answer = change(silent, ticket_id, seller, method, headers=KEY)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "change_pending", "1")
    silent.orders_decides = True
    assert change(silent, ticket_id, seller, method, headers=KEY).status in (200, 204)


@METHODS
def test_an_order_unknown_to_tickets_refuses_the_change(
    world: World, seller: Person, buyer: Person, ticket_id: str, method: str
) -> None:
    placed = order(world, ticket_id, buyer)

    answer = change(world, ticket_id, seller, method)
    assert (answer.status, answer.code) == (409, "ticket_held")
    assert order_status(world, placed, buyer) == "created"
    assert not is_changed(world, ticket_id, method)
    assert "pendingChange" not in ticket(world, ticket_id)


@METHODS
def test_a_sale_unknown_to_tickets_refuses_the_change(
    world: World, seller: Person, buyer: Person, ticket_id: str, method: str, stripe: Stripe
) -> None:
    placed = order(world, ticket_id, buyer)
    world.settle(without=("expiration", "tickets"))
    world.call("POST", "/api/payments", {"orderId": placed["id"], "token": "tok_visa"}, by=buyer)
    world.settle(without=("expiration", "tickets"))
    stripe.webhooks(world)
    world.settle(without=("expiration", "tickets"))
    assert order_status(world, placed, buyer) == "completed"

    answer = change(world, ticket_id, seller, method)
    assert (answer.status, answer.code) == (409, "ticket_sold")


@METHODS
def test_a_late_authorisation_does_not_undo_an_accepted_change(
    world: World, seller: Person, buyer: Person, ticket_id: str, method: str, stripe: Stripe
) -> None:
    placed = order(world, ticket_id, buyer)
    world.settle(without=("expiration",))
    body = {"orderId": placed["id"], "token": "pm_card_threeDSecure2Required"}
    intent = world.call("POST", "/api/payments", body, by=buyer).json["stripeId"]
    world.time.advance(minutes=5)
    assert ticket(world, ticket_id)["status"] == "available"

    assert change(world, ticket_id, seller, method).status in (200, 204)
    assert order_status(world, placed, buyer) == "cancelled"
    stripe.api("POST", f"/local/3ds/{intent}", "outcome=complete")
    stripe.webhooks(world)
    world.settle(without=("expiration",))
    stripe.webhooks(world)

    assert order_status(world, placed, buyer) == "cancelled"
    assert world.call("GET", f"/api/payments/{placed['id']}", by=buyer).json["status"] == "voided"
    assert is_changed(world, ticket_id, method)
    assert "holdOrderID" not in copy(world, ticket_id)
    assert ticket(world, ticket_id)["status"] == ("available" if method == "PUT" else "withdrawn")


@METHODS
def test_a_change_after_a_late_authorisation_is_refused(
    world: World, seller: Person, buyer: Person, ticket_id: str, method: str, stripe: Stripe
) -> None:
    placed = order(world, ticket_id, buyer)
    world.settle(without=("expiration",))
    body = {"orderId": placed["id"], "token": "pm_card_threeDSecure2Required"}
    intent = world.call("POST", "/api/payments", body, by=buyer).json["stripeId"]
    world.time.advance(minutes=5)
    stripe.api("POST", f"/local/3ds/{intent}", "outcome=complete")
    stripe.webhooks(world)
    world.settle(without=("expiration", "tickets"))

    answer = change(world, ticket_id, seller, method)
    assert (answer.status, answer.code) == (409, "ticket_sold")
    assert order_status(world, placed, buyer) == "completed"
    assert not is_changed(world, ticket_id, method)


def test_a_change_cancels_a_lapsed_order_and_publishes_it(
    world: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    """The hold version rises by one."""
    placed = order(world, ticket_id, buyer)
    world.time.advance(minutes=5)
    change(world, ticket_id, seller)

    [cancelled] = world.published({"order:cancelled"})
    assert cancelled["detail"]["data"]["id"] == placed["id"]
    assert cancelled["detail"]["data"]["reason"] == "expired"
    assert cancelled["detail"]["data"]["ticket"]["hold"] == copy(world, ticket_id)["holdNumber"] == 2


def test_an_order_after_an_edit_has_the_new_price(world: World, seller: Person, buyer: Person, ticket_id: str) -> None:
    change(world, ticket_id, seller)

    assert order(world, ticket_id, buyer)["ticket"]["price"] == "500.00"


def test_an_order_after_a_withdrawal_is_refused(world: World, seller: Person, buyer: Person, ticket_id: str) -> None:
    change(world, ticket_id, seller, "DELETE")

    assert world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer).code == "ticket_withdrawn"


@METHODS
def test_a_change_of_a_ticket_unknown_to_orders_is_accepted(world: World, seller: Person, method: str) -> None:
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller)
    [created] = world.published({"ticket:created"})
    ticket_id = answer.json["id"]

    assert change(world, ticket_id, seller, method).status in (200, 204)
    assert world.deliver(created, "orders")  # late
    assert is_changed(world, ticket_id, method)
    assert copy(world, ticket_id)["holdNumber"] == 0


def test_a_duplicate_request_gets_the_same_decision(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    change(silent, ticket_id, seller)
    request = requested(silent)
    assert silent.deliver(request, "orders")
    first = decided(silent)
    placed = order(silent, ticket_id, buyer)  # deciding anew would decline now
    before = copy(silent, ticket_id)
    assert silent.deliver(request, "orders")
    again = decided(silent)

    assert first["detail-type"] == again["detail-type"] == "ticket:change-accepted"
    assert [event["detail"]["data"]["version"] for event in (first, again)] == [1, 2]
    assert copy(silent, ticket_id) == before | {"decisionNumber": 2, "event": copy(silent, ticket_id)["event"]}
    for event in (again, first, again):
        assert silent.deliver(event, "tickets")
    assert ticket(silent, ticket_id)["version"] == 3
    assert order_status(silent, placed, buyer) == "created"


def test_a_request_decided_before_a_newer_one_has_no_effect(silent: World, seller: Person, ticket_id: str) -> None:
    change(silent, ticket_id, seller)
    old = requested(silent)
    assert silent.deliver(old, "orders")
    silent.decide_changes()
    silent.orders_decides = True
    change(silent, ticket_id, seller, price="600.00")
    before = silent.items("orders")

    assert silent.deliver(old, "orders")
    assert silent.items("orders") == before


def test_concurrent_deliveries_of_a_request_get_one_decision(
    silent: World, seller: Person, buyer: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the deadline, the first delivery still declines; the second, which read before that, would accept."""
    placed = order(silent, ticket_id, buyer)
    silent.time.advance(minutes=5, milliseconds=-1)
    change_by_another_clock(silent, seller, ticket_id)
    request = requested(silent)
    read = OrderStore.ticket
    others: list[Callable[[], bool]] = [lambda: silent.deliver(request, "orders")]

    def interrupted(self: OrderStore, *args: Any, **options: Any) -> Any:
        found = read(self, *args, **options)
        if others:
            others.pop()()
            silent.time.advance(milliseconds=1)
        return found

    monkeypatch.setattr(OrderStore, "ticket", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail-type"] == "ticket:change-declined"
    assert copy(silent, ticket_id)["price"] == "12.50"
    assert order_status(silent, placed, buyer) == "created"


def change_by_another_clock(world: World, seller: Person, ticket_id: str) -> None:
    """Request a change of which Tickets does not know the order; the call's wait does not move the clock."""
    now = world.time.instant
    assert change(world, ticket_id, seller).status == 202
    world.time.instant = now


@METHODS
def test_an_order_between_read_and_decision_refuses_the_change(
    silent: World, seller: Person, buyer: Person, ticket_id: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(silent, ticket_id, seller, method)
    request = requested(silent)
    write = OrderStore.replace_ticket
    buyers = [buyer]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if buyers:
            order(silent, ticket_id, buyers.pop())
        write(self, *args)

    monkeypatch.setattr(OrderStore, "replace_ticket", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"


def test_an_authorisation_between_read_and_decision_refuses(
    silent: World, seller: Person, buyer: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = order(silent, ticket_id, buyer)
    silent.time.advance(minutes=5)
    change(silent, ticket_id, seller)
    request = requested(silent)
    paid = {"id": new_id(), "version": 1, "orderId": placed["id"], "userID": buyer.id, "stripeId": "pi_1"}
    metadata = {"id": new_id(), "time": "2026-11-23T12:00:00Z", "correlationId": "c", "causationId": "c"}
    events = [envelope("payment:authorized", {"metadata": metadata, "data": paid})]
    write = OrderStore.replace_ticket

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
        write(self, *args)

    monkeypatch.setattr(OrderStore, "replace_ticket", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"
    assert order_status(silent, placed, buyer) == "awaiting:payment"


def test_a_ticket_event_between_read_and_decision_is_read_again(
    silent: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is older than the request (from before a deployment) or newer (from `make republish`)."""
    change(silent, ticket_id, seller)
    request = requested(silent)
    word = envelope("ticket:updated", {**request["detail"], "data": request["detail"]["data"] | REPUBLISHED})
    write = OrderStore.replace_ticket
    events = [word]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
        write(self, *args)

    monkeypatch.setattr(OrderStore, "replace_ticket", interrupted)
    assert silent.deliver(request, "orders")

    assert (copy(silent, ticket_id)["price"], copy(silent, ticket_id)["ticketVersion"]) == ("9.00", 9)


def test_creation_and_order_between_read_and_decision_refuse(
    silent: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id = silent.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json["id"]
    [created] = silent.published({"ticket:created"})
    change(silent, ticket_id, seller)
    request = requested(silent)
    write = OrderStore.replace_ticket
    events = [created]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
            order(silent, ticket_id, buyer)
        write(self, *args)

    monkeypatch.setattr(OrderStore, "replace_ticket", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"


def test_the_last_decision_is_published_again(silent: World, seller: Person, buyer: Person, ticket_id: str) -> None:
    placed = order(silent, ticket_id, buyer)
    change(silent, ticket_id, seller)
    silent.decide_changes()
    silent.call("DELETE", f"/api/orders/{placed['id']}", by=buyer)
    change(silent, ticket_id, seller)
    request = requested(silent)

    decisions = []
    for _ in range(2):
        assert silent.deliver(request, "orders")
        decisions.append(decided(silent)["detail-type"])
    assert decisions == ["ticket:change-accepted"] * 2


@pytest.mark.parametrize("edit", [{"title": "Two seats", "price": "12.50"}, {"title": "A seat", "price": "500.00"}])
def test_an_order_uses_an_edit_made_between_read_and_write(
    world: World,
    seller: Person,
    buyer: Person,
    ticket_id: str,
    edit: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = OrderStore.hold_ticket
    edits = [edit]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if edits:
            assert change(world, ticket_id, seller, **edits.pop()).status == 200
        write(self, *args)

    monkeypatch.setattr(OrderStore, "hold_ticket", interrupted)
    ordered = order(world, ticket_id, buyer)["ticket"]

    assert (ordered["title"], ordered["price"]) == (edit["title"], edit["price"])


REPUBLISHED = {"version": 9, "price": "9.00", "status": "available", "change": "edited"}


def test_a_request_under_contention_is_delivered_again(
    silent: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(silent, ticket_id, seller)
    request = requested(silent)
    monkeypatch.setattr("shared.table.ATTEMPTS", 1)
    monkeypatch.setattr(Table, "write", lambda *_: (_ for _ in ()).throw(Contention("others")))

    assert not silent.deliver(request, "orders")


@METHODS
@pytest.mark.parametrize("lost", ["the request", "the decision"])
def test_a_sellers_retry_replaces_a_lost_message(
    silent: World, seller: Person, ticket_id: str, method: str, lost: str
) -> None:
    assert change(silent, ticket_id, seller, method, headers=KEY).status == 202
    request = requested(silent)
    if lost == "the decision":
        assert silent.deliver(request, "orders")
        decided(silent)
    assert change(silent, ticket_id, seller, method, headers=KEY).status == 202, "not published again yet"

    silent.orders_decides = True
    silent.time.advance(seconds=5)
    assert change(silent, ticket_id, seller, method, headers=KEY).status in (200, 204)
    assert is_changed(silent, ticket_id, method)


def test_a_retry_publishes_the_same_change_as_a_new_version(silent: World, seller: Person, ticket_id: str) -> None:
    change(silent, ticket_id, seller)
    first = requested(silent)["detail"]["data"]
    silent.time.advance(seconds=5)
    change(silent, ticket_id, seller)

    assert requested(silent)["detail"]["data"] == first | {"version": 3}


def test_a_retry_finds_the_change_of_a_process_that_died(
    world: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died after writing the request; the retry has the same idempotency key."""
    request = TicketStore.request

    def dies(self: TicketStore, *args: Any) -> None:
        request(self, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TicketStore, "request", dies)
        with pytest.raises(KeyboardInterrupt):
            change(world, ticket_id, seller, headers=KEY)
    world.decide_changes()

    assert change(world, ticket_id, seller, headers=KEY).code == "idempotency_in_progress"
    world.time.advance(seconds=31)
    answer = change(world, ticket_id, seller, headers=KEY)
    assert (answer.status, answer.json["version"]) == (200, 3)
    assert copy(world, ticket_id)["decisionNumber"] == 1


def test_an_edit_based_on_an_older_edit_is_refused(world: World, seller: Person, ticket_id: str) -> None:
    seen = ticket(world, ticket_id)["version"]
    assert change(world, ticket_id, seller, price="100.00").status == 200

    answer = change(world, ticket_id, seller, title="A better seat", price="12.50", version=seen)
    assert (answer.status, answer.code) == (409, "ticket_changed")
    assert ticket(world, ticket_id)["price"] == "100.00"
    seen = ticket(world, ticket_id)["version"]
    assert change(world, ticket_id, seller, title="A better seat", price="100.00", version=seen).status == 200


def test_an_edit_based_on_a_state_before_withdrawal_is_refused(world: World, seller: Person, ticket_id: str) -> None:
    seen = ticket(world, ticket_id)["version"]
    assert change(world, ticket_id, seller, "DELETE").status == 204

    assert change(world, ticket_id, seller, version=seen).code == "ticket_changed"


def test_reservations_do_not_make_an_edit_outdated(world: World, seller: Person, buyer: Person, ticket_id: str) -> None:
    seen = ticket(world, ticket_id)["version"]
    placed = order(world, ticket_id, buyer)
    world.settle(without=("expiration",))
    world.call("DELETE", f"/api/orders/{placed['id']}", by=buyer)
    world.settle(without=("expiration",))
    assert ticket(world, ticket_id)["version"] == seen + 2

    assert change(world, ticket_id, seller, version=seen).status == 200


def test_a_version_that_the_ticket_never_had_is_refused(world: World, seller: Person, ticket_id: str) -> None:
    assert change(world, ticket_id, seller, version=2).code == "ticket_changed"


def test_an_edit_repeated_without_a_key_is_not_outdated(silent: World, seller: Person, ticket_id: str) -> None:
    assert change(silent, ticket_id, seller, version=1).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, version=1).status == 200


def test_a_change_of_a_held_ticket_is_refused_without_waiting(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    order(silent, ticket_id, buyer)
    silent.settle(without=("expiration",))
    before = silent.time.now()

    assert change(silent, ticket_id, seller).code == "ticket_held"
    assert silent.time.now() == before
    assert silent.published() == []
