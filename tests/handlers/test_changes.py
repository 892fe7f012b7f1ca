"""A seller's change from the request to its end: Tickets asks, Orders decides, and the seller's call waits for it."""

from collections.abc import Callable
from typing import Any

import pytest

from functions.orders.store import OrderStore
from functions.tickets.store import TicketStore
from shared.ids import new_id
from shared.table import Busy, Table
from tests.handlers.stripe_in_process import Stripe
from tests.handlers.world import Answer, Person, World, envelope

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
    """A ticket on sale at 12.50, of which Orders knows."""
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller)
    world.settle()
    return str(answer.json["id"])


@pytest.fixture
def silent(world: World) -> World:
    """A world in which Orders hears nothing until it is told."""
    world.orders_decides = False
    return world


def change(world: World, ticket_id: str, seller: Person, method: str = "PUT", **more: Any) -> Answer:
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
    """The request that was published last."""
    [event] = world.told({"ticket:change-requested"})
    return event


def decided(world: World) -> dict[str, Any]:
    """The decision that was published last."""
    [event] = world.told({"ticket:change-accepted", "ticket:change-declined"})
    return event


def is_changed(world: World, ticket_id: str, method: str) -> bool:
    """Whether the change is in force in Tickets and in Orders; they must agree."""
    shown, kept = ticket(world, ticket_id), copy(world, ticket_id)
    here: bool = shown["price"] == "500.00" if method == "PUT" else shown["status"] == "withdrawn"
    there: bool = kept["price"] == "500.00" if method == "PUT" else kept["withdrawn"]
    assert here == there
    return here


@METHODS
def test_a_change_that_is_answered_with_success_is_in_force_in_orders(
    world: World, seller: Person, ticket_id: str, method: str
) -> None:
    assert change(world, ticket_id, seller, method).status == {"PUT": 200, "DELETE": 204}[method]
    assert is_changed(world, ticket_id, method)


def test_a_request_carries_the_ticket_as_its_seller_wants_it(silent: World, seller: Person, ticket_id: str) -> None:
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
def test_a_decision_that_takes_too_long_is_answered_with_202(
    silent: World, seller: Person, ticket_id: str, method: str
) -> None:
    began = silent.time.now()
    answer = change(silent, ticket_id, seller, method)

    assert (answer.status, answer.headers["Retry-After"]) == (202, "1")
    wanted = {"title": "Two seats", "price": "500.00", "withdrawn": False}
    if method == "DELETE":
        wanted = {"title": "A seat", "price": "12.50", "withdrawn": True}
    assert answer.json["pendingChange"] == wanted
    assert (answer.json["price"], answer.json["status"]) == ("12.50", "available")
    assert (silent.time.now() - began).total_seconds() == pytest.approx(3)
    [mine] = silent.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    assert mine == answer.json
    assert "pendingChange" not in ticket(silent, ticket_id)  # what others see

    silent.decide_changes()
    assert is_changed(silent, ticket_id, method)
    [mine] = silent.call("GET", "/api/tickets/mine", by=seller).json["tickets"]
    assert "pendingChange" not in mine


@METHODS
@pytest.mark.parametrize("headers", [None, KEY])
def test_a_call_repeated_after_a_202_is_answered_with_the_outcome(
    silent: World, seller: Person, ticket_id: str, method: str, headers: dict[str, str] | None
) -> None:
    assert change(silent, ticket_id, seller, method, headers=headers).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, method, headers=headers).status in (200, 204)
    assert is_changed(silent, ticket_id, method)


def test_a_key_has_one_effect_though_another_change_came_between_its_202_and_the_repeat(
    silent: World, seller: Person, ticket_id: str
) -> None:
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.orders_decides = True
    assert change(silent, ticket_id, seller, price="600.00").status == 200
    before = silent.items("tickets")

    again = change(silent, ticket_id, seller, headers=KEY)
    assert (again.status, again.json["price"]) == (200, "600.00")
    after = [item for item in silent.items("tickets") if item["pk"].startswith("ticket#")]
    assert after == [item for item in before if item["pk"].startswith("ticket#")]


def test_a_key_whose_change_was_declined_is_refused_again_though_the_ticket_is_free_by_then(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    placed = order(silent, ticket_id, buyer)  # of which Tickets has not heard
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.call("DELETE", f"/api/orders/{placed['id']}", by=buyer)

    for _ in range(2):
        answer = change(silent, ticket_id, seller, headers=KEY)
        assert (answer.status, answer.code) == (409, "ticket_held")


def test_one_key_with_another_body_is_another_change(silent: World, seller: Person, ticket_id: str) -> None:
    assert change(silent, ticket_id, seller, headers=KEY).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, headers=KEY, price="7.00").json["price"] == "7.00"


def test_the_same_call_twice_at_once_is_one_change(silent: World, seller: Person, ticket_id: str) -> None:
    answers: list[Answer] = []

    def meanwhile() -> None:
        silent.time.meanwhile = silent.decide_changes
        answers.append(change(silent, ticket_id, seller))

    silent.time.meanwhile = meanwhile
    answers.append(change(silent, ticket_id, seller))

    assert [answer.status for answer in answers] == [200, 200]
    assert copy(silent, ticket_id)["decisionNumber"] == 1


def test_two_devices_at_once_both_have_their_change_one_after_the_other(
    silent: World, seller: Person, ticket_id: str
) -> None:
    answers: list[Answer] = []

    def meanwhile() -> None:
        silent.time.meanwhile = silent.decide_changes
        answers.append(change(silent, ticket_id, seller, price="600.00"))

    silent.time.meanwhile = meanwhile
    answers.append(change(silent, ticket_id, seller))

    second, first = answers
    assert (first.status, second.status, second.json["price"]) == (200, 200, "600.00")
    assert ticket(silent, ticket_id)["price"] == copy(silent, ticket_id)["price"] == "600.00"


@METHODS
def test_while_another_change_stays_undecided_a_seller_is_asked_to_come_again(
    silent: World, seller: Person, ticket_id: str, method: str
) -> None:
    assert change(silent, ticket_id, seller, price="600.00").status == 202

    answer = change(silent, ticket_id, seller, method, headers=KEY)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "change_pending", "1")
    silent.orders_decides = True
    assert change(silent, ticket_id, seller, method, headers=KEY).status in (200, 204)


@METHODS
def test_an_order_that_tickets_has_not_heard_of_refuses_the_change(
    world: World, seller: Person, buyer: Person, ticket_id: str, method: str
) -> None:
    placed = order(world, ticket_id, buyer)

    answer = change(world, ticket_id, seller, method)
    assert (answer.status, answer.code) == (409, "ticket_held")
    assert order_status(world, placed, buyer) == "created"
    assert not is_changed(world, ticket_id, method)
    assert "pendingChange" not in ticket(world, ticket_id)


@METHODS
def test_a_sale_that_tickets_has_not_heard_of_refuses_the_change(
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
def test_a_late_authorisation_cannot_overrule_an_accepted_change(
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
def test_a_change_is_refused_once_a_late_authorisation_was_faster(
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


def test_a_lapsed_hold_that_is_freed_with_a_change_counts_the_hold_once_and_is_told(
    world: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    placed = order(world, ticket_id, buyer)
    world.time.advance(minutes=5)
    change(world, ticket_id, seller)

    [cancelled] = world.told({"order:cancelled"})
    assert cancelled["detail"]["data"]["id"] == placed["id"]
    assert cancelled["detail"]["data"]["reason"] == "expired"
    assert cancelled["detail"]["data"]["ticket"]["hold"] == copy(world, ticket_id)["holdNumber"] == 2


def test_an_order_after_an_edit_is_at_the_new_price(
    world: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    change(world, ticket_id, seller)

    assert order(world, ticket_id, buyer)["ticket"]["price"] == "500.00"


def test_an_order_after_a_withdrawal_is_refused(world: World, seller: Person, buyer: Person, ticket_id: str) -> None:
    change(world, ticket_id, seller, "DELETE")

    assert world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer).code == "ticket_withdrawn"


@METHODS
def test_a_change_of_a_ticket_of_which_orders_has_never_heard_is_accepted(
    world: World, seller: Person, method: str
) -> None:
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller)
    [created] = world.told({"ticket:created"})
    ticket_id = answer.json["id"]

    assert change(world, ticket_id, seller, method).status in (200, 204)
    assert world.deliver(created, "orders")  # late
    assert is_changed(world, ticket_id, method)
    assert copy(world, ticket_id)["holdNumber"] == 0


def test_a_request_that_comes_twice_has_the_same_decision_and_changes_nothing(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    change(silent, ticket_id, seller)
    request = requested(silent)
    assert silent.deliver(request, "orders")
    first = decided(silent)
    placed = order(silent, ticket_id, buyer)  # a second look at the rules would decline now
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


def test_a_request_that_was_decided_before_another_one_changes_nothing_any_more(
    silent: World, seller: Person, ticket_id: str
) -> None:
    change(silent, ticket_id, seller)
    old = requested(silent)
    assert silent.deliver(old, "orders")
    silent.decide_changes()
    silent.orders_decides = True
    change(silent, ticket_id, seller, price="600.00")
    before = silent.items("orders")

    assert silent.deliver(old, "orders")
    assert silent.items("orders") == before


def test_two_deliveries_of_a_request_at_once_come_to_one_decision(
    silent: World, seller: Person, buyer: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the deadline: the first still declines, and the second, which read before that, would accept."""
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
    """A request while Tickets has not heard of the order; its wait does not move the clock."""
    now = world.time.instant
    assert change(world, ticket_id, seller).status == 202
    world.time.instant = now


@METHODS
def test_an_order_placed_between_the_look_and_the_decision_refuses_the_change(
    silent: World, seller: Person, buyer: Person, ticket_id: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(silent, ticket_id, seller, method)
    request = requested(silent)
    decide = OrderStore.decide
    buyers = [buyer]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if buyers:
            order(silent, ticket_id, buyers.pop())
        decide(self, *args)

    monkeypatch.setattr(OrderStore, "decide", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"


def test_an_authorisation_between_the_look_and_the_decision_refuses_the_change(
    silent: World, seller: Person, buyer: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = order(silent, ticket_id, buyer)
    silent.time.advance(minutes=5)
    change(silent, ticket_id, seller)
    request = requested(silent)
    paid = {"id": new_id(), "version": 1, "orderId": placed["id"], "userID": buyer.id, "stripeId": "pi_1"}
    metadata = {"id": new_id(), "time": "2026-11-23T12:00:00Z", "correlationId": "c", "causationId": "c"}
    events = [envelope("payment:authorized", {"metadata": metadata, "data": paid})]
    decide = OrderStore.decide

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
        decide(self, *args)

    monkeypatch.setattr(OrderStore, "decide", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"
    assert order_status(silent, placed, buyer) == "awaiting:payment"


def test_a_sellers_word_between_the_look_and_the_decision_is_looked_at_again(
    silent: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is older than the request, from before a deployment, or newer, by `make republish`."""
    change(silent, ticket_id, seller)
    request = requested(silent)
    word = envelope("ticket:updated", {**request["detail"], "data": request["detail"]["data"] | REPUBLISHED})
    decide = OrderStore.decide
    events = [word]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
        decide(self, *args)

    monkeypatch.setattr(OrderStore, "decide", interrupted)
    assert silent.deliver(request, "orders")

    assert (copy(silent, ticket_id)["price"], copy(silent, ticket_id)["ticketVersion"]) == ("9.00", 9)


def test_a_creation_and_an_order_between_the_look_and_the_decision_are_looked_at_again(
    silent: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id = silent.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json["id"]
    [created] = silent.told({"ticket:created"})
    change(silent, ticket_id, seller)
    request = requested(silent)
    decide = OrderStore.decide
    events = [created]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if events:
            assert silent.deliver(events.pop(), "orders")
            order(silent, ticket_id, buyer)
        decide(self, *args)

    monkeypatch.setattr(OrderStore, "decide", interrupted)
    assert silent.deliver(request, "orders")

    assert decided(silent)["detail"]["data"]["reason"] == "held"


def test_a_decision_that_is_told_again_is_the_last_one_and_not_the_one_before(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    placed = order(silent, ticket_id, buyer)
    change(silent, ticket_id, seller)
    silent.decide_changes()
    silent.call("DELETE", f"/api/orders/{placed['id']}", by=buyer)
    change(silent, ticket_id, seller)
    request = requested(silent)

    told = []
    for _ in range(2):
        assert silent.deliver(request, "orders")
        told.append(decided(silent)["detail-type"])
    assert told == ["ticket:change-accepted"] * 2


@pytest.mark.parametrize("edit", [{"title": "Two seats", "price": "12.50"}, {"title": "A seat", "price": "500.00"}])
def test_an_edit_between_the_look_and_the_order_is_what_is_ordered(
    world: World,
    seller: Person,
    buyer: Person,
    ticket_id: str,
    edit: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = OrderStore.place
    edits = [edit]

    def interrupted(self: OrderStore, *args: Any) -> None:
        if edits:
            assert change(world, ticket_id, seller, **edits.pop()).status == 200
        place(self, *args)

    monkeypatch.setattr(OrderStore, "place", interrupted)
    ordered = order(world, ticket_id, buyer)["ticket"]

    assert (ordered["title"], ordered["price"]) == (edit["title"], edit["price"])


REPUBLISHED = {"version": 9, "price": "9.00", "status": "available", "change": "edited"}


def test_a_change_that_is_always_outrun_comes_back(
    silent: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(silent, ticket_id, seller)
    request = requested(silent)
    monkeypatch.setattr("shared.table.ATTEMPTS", 1)
    monkeypatch.setattr(Table, "write", lambda *_: (_ for _ in ()).throw(Busy("others")))

    assert not silent.deliver(request, "orders")


@METHODS
@pytest.mark.parametrize("lost", ["the request", "the decision"])
def test_a_lost_message_is_made_up_for_by_the_sellers_retry(
    silent: World, seller: Person, ticket_id: str, method: str, lost: str
) -> None:
    assert change(silent, ticket_id, seller, method, headers=KEY).status == 202
    request = requested(silent)
    if lost == "the decision":
        assert silent.deliver(request, "orders")
        decided(silent)
    assert change(silent, ticket_id, seller, method, headers=KEY).status == 202, "nothing is published again at once"

    silent.orders_decides = True
    silent.time.advance(seconds=5)
    assert change(silent, ticket_id, seller, method, headers=KEY).status in (200, 204)
    assert is_changed(silent, ticket_id, method)


def test_a_retry_publishes_the_same_change_under_a_new_version(silent: World, seller: Person, ticket_id: str) -> None:
    change(silent, ticket_id, seller)
    first = requested(silent)["detail"]["data"]
    silent.time.advance(seconds=5)
    change(silent, ticket_id, seller)

    assert requested(silent)["detail"]["data"] == first | {"version": 3}


def test_a_process_that_dies_after_the_request_leaves_a_change_that_the_key_still_finds(
    world: World, seller: Person, ticket_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_seller_who_has_not_seen_the_latest_edit_is_told(world: World, seller: Person, ticket_id: str) -> None:
    seen = ticket(world, ticket_id)["version"]
    assert change(world, ticket_id, seller, price="100.00").status == 200

    answer = change(world, ticket_id, seller, title="A better seat", price="12.50", version=seen)
    assert (answer.status, answer.code) == (409, "ticket_changed")
    assert ticket(world, ticket_id)["price"] == "100.00"
    seen = ticket(world, ticket_id)["version"]
    assert change(world, ticket_id, seller, title="A better seat", price="100.00", version=seen).status == 200


def test_a_seller_who_has_not_seen_the_withdrawal_is_told(world: World, seller: Person, ticket_id: str) -> None:
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


def test_an_edit_repeated_without_a_key_is_not_outdated_by_itself(
    silent: World, seller: Person, ticket_id: str
) -> None:
    assert change(silent, ticket_id, seller, version=1).status == 202
    silent.decide_changes()
    silent.orders_decides = True

    assert change(silent, ticket_id, seller, version=1).status == 200


def test_a_change_held_by_the_clock_is_refused_at_once(
    silent: World, seller: Person, buyer: Person, ticket_id: str
) -> None:
    order(silent, ticket_id, buyer)
    silent.settle(without=("expiration",))
    before = silent.time.now()

    assert change(silent, ticket_id, seller).code == "ticket_held"
    assert silent.time.now() == before
    assert silent.told() == []
