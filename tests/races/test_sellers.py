"""A seller changes a ticket while it is being ordered."""

from datetime import timedelta
from typing import Any

from shared import clock
from shared.ids import new_id
from tests.handlers.world import Person
from tests.races.crew import Call, Outcome
from tests.races.ground import WINDOW, Market, http, order, person, tell

TICKETS = 30


def test_a_new_price_against_an_order_what_is_held_is_what_was_ordered(market: Market) -> None:
    seller = person()
    tickets = market.on_sale(TICKETS, seller=seller, price="10.00")
    new = {"title": "Row 2, seat 2", "price": "20.00", "change": "edited", "status": "available"}
    wishes = [(ticket, price) for ticket in tickets for price in ("10.00", None)]

    orders = [[order(ticket, person(), price=price)] for ticket, price in wishes]
    told, answered = _against(market, orders, [_sellers_word(ticket, seller, new) for ticket in tickets])

    assert all(outcome.is_taken for outcome in told)
    for (_, price), outcome in zip(wishes, answered, strict=True):
        assert outcome.code in ("", "ticket_held", "price_changed")
        if outcome.status == 201:
            assert price in (None, outcome.json["ticket"]["price"])
    ordered = {one["id"]: one for one in market.orders()}
    for before, after in _holds(market):
        placed = ordered[after["holdOrderID"]]
        assert (placed["price"], placed["title"]) == (before["price"], before["title"]), "held under another price"
    assert {ticket["price"] for ticket in market.items("orders") if ticket["sk"] == "ticket"} == {"20.00"}


def test_a_withdrawal_against_an_order_nothing_is_held_once_it_is_withdrawn(market: Market) -> None:
    seller = person()
    tickets = market.on_sale(TICKETS, seller=seller)
    gone = {"title": "Row 1, seat 1", "price": "10.00", "change": "withdrawn", "status": "withdrawn"}

    orders = [[order(ticket, person())] for ticket in tickets for _ in range(2)]
    told, answered = _against(market, orders, [_sellers_word(ticket, seller, gone) for ticket in tickets])

    assert all(outcome.is_taken for outcome in told)
    assert {outcome.code for outcome in answered} <= {"", "ticket_held", "ticket_withdrawn"}
    assert not any(before["withdrawn"] for before, _ in _holds(market))
    late = [order(ticket, person(), at=clock.now() + timedelta(minutes=6)) for ticket in tickets[:10]]
    assert {outcome.code for outcome in market.at_once(late)} == {"ticket_withdrawn"}  # a lapsed hold does not undo it


def test_edits_and_withdrawals_against_the_events_of_orders_in_tickets(market: Market) -> None:
    seller = person()
    tickets = market.on_sale(12, seller=seller)
    placed = market.ordered(tickets, [person() for _ in tickets])

    def edit(ticket: str, price: str) -> Call:
        return http("PUT", f"/api/tickets/{ticket}", {"title": "Row 1, seat 1", "price": price}, by=seller)

    def told(event_type: str, one: dict[str, Any], hold: int) -> Call:
        held = one["ticket"] | {"hold": hold}
        data = {key: one[key] for key in ("id", "userID", "status", "expiresAt")} | {"version": hold, "ticket": held}
        status = {
            "order:created": {"status": "created"},
            "order:cancelled": {"status": "cancelled", "reason": "expired"},
        }
        return tell("tickets", event_type, data | status[event_type])

    outcomes = market.race(
        [
            [edit(one["ticket"]["id"], "11.00") for one in placed],
            [edit(one["ticket"]["id"], "12.00") for one in placed],
            [edit(one["ticket"]["id"], "13.00") for one in placed],
            [told("order:created", one, 1) for one in placed],
            [told("order:created", one, 1) for one in placed],
            [told("order:cancelled", one, 2) for one in placed],
            [told("order:created", one | {"id": new_id()}, 3) for one in placed],
            [http("DELETE", f"/api/tickets/{one['ticket']['id']}", by=seller) for one in placed[::3]],
        ]
    )

    edits, events, withdrawals = outcomes[:3], outcomes[3:7], outcomes[7]
    assert all(outcome.is_taken for runner in events for outcome in runner)
    assert {outcome.code for runner in edits for outcome in runner} <= {"", "ticket_held"}
    assert {outcome.status for outcome in withdrawals} <= {204, 409}
    withdrawn = {one["ticket"]["id"] for one, done in zip(placed[::3], withdrawals, strict=True) if done.status == 204}
    for item in market.items("tickets"):
        counted = [outcome.json for runner in edits for outcome in runner if outcome.status == 200]
        mine = sorted((one for one in counted if one["id"] == item["id"]), key=lambda one: one["version"])
        versions = [one["version"] for one in mine]
        assert len(set(versions)) == len(versions), "two edits were given one version"
        assert item["price"] == (mine[-1]["price"] if mine else "10.00"), "the last edit stays"
        assert item["holdNumber"] == 3  # the newest news of Orders won
        assert item["holdExpiresAt"] - item["createdAt"] >= WINDOW / timedelta(milliseconds=1)
        assert ("withdrawnAt" in item) is (item["id"] in withdrawn)
        followed = item["version"] - 1 - len(mine) - (item["id"] in withdrawn)
        assert 1 <= followed <= 3, "an event was followed twice"


def _against(market: Market, orders: list[list[Call]], words: list[Call]) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of the sellers' words and of the orders, each in a process of its own.

    An order reads and then writes, and all the others come in between. Some of the words wait for a read or two before
    they come, so that they fall before, between and behind.
    """
    idle = http("GET", "/api/orders", by=person())
    ran = market.race(orders + [[idle] * (number % 4) + [word] for number, word in enumerate(words)])
    last = [outcomes[-1] for outcomes in ran]
    return last[len(orders) :], last[: len(orders)]


def _sellers_word(ticket: str, seller: Person, said: dict[str, str]) -> Call:
    """What Tickets tells Orders of a seller's change."""
    return tell("orders", "ticket:updated", {"id": ticket, "version": 2, "currency": "usd", "userID": seller.id} | said)


def _holds(market: Market) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Orders' copies of tickets just before and after each write that has taken a hold."""
    taken = [
        (before, after)
        for before, after in market.changes("orders")
        if after.get("sk") == "ticket" and after.get("holdOrderID") not in (None, before.get("holdOrderID"))
    ]
    assert taken
    return taken
