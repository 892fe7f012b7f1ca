"""Sellers' changes concurrent with orders."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from shared import clock
from shared.ids import new_id
from tests.support.lambda_events import Person
from tests.support.race_environment import WINDOW, Sandbox, delivery, http, order, paid, person
from tests.support.worker_pool import Invocation, Outcome

TICKETS = 30


def test_new_price_racing_an_order_never_changes_the_hold(sandbox: Sandbox) -> None:
    seller = person()
    tickets = sandbox.on_sale(TICKETS, seller=seller, price="10.00")
    new = {"title": "Row 2, seat 2", "price": "20.00", "withdrawn": False}
    requests = [(ticket, price) for ticket in tickets for price in ("10.00", None)]

    orders = [[order(ticket, person(), price=price)] for ticket, price in requests]
    decided, answered = _against(sandbox, orders, [_request(ticket, seller, new) for ticket in tickets])

    assert all(outcome.is_taken for outcome in decided)
    for (_, price), outcome in zip(requests, answered, strict=True):
        assert outcome.code in ("", "ticket_held", "price_changed")
        if outcome.status == 201:
            assert price in (None, outcome.json["ticket"]["price"])
    ordered = {one["id"]: one for one in sandbox.orders()}
    for before, after in _holds(sandbox):
        placed = ordered[after["holdOrderID"]]
        assert (placed["price"], placed["title"]) == (before["price"], before["title"]), "held under another price"
    for copy in _copies(sandbox):
        assert copy["price"] == ("10.00" if copy.get("declinedFor") else "20.00")
        placed = ordered[copy["holdOrderID"]] if "holdOrderID" in copy else copy
        assert placed["price"] == copy["price"], "an order survived a change accepted after it"


def test_withdrawal_racing_an_order_leaves_no_hold(sandbox: Sandbox) -> None:
    seller = person()
    tickets = sandbox.on_sale(TICKETS, seller=seller)
    gone = {"title": "Row 1, seat 1", "price": "10.00", "withdrawn": True}

    orders = [[order(ticket, person())] for ticket in tickets for _ in range(2)]
    decided, answered = _against(sandbox, orders, [_request(ticket, seller, gone) for ticket in tickets])

    assert all(outcome.is_taken for outcome in decided)
    assert {outcome.code for outcome in answered} <= {"", "ticket_held", "ticket_withdrawn"}
    assert not any(before["withdrawn"] for before, _ in _holds(sandbox))
    for copy in _copies(sandbox):
        assert copy["withdrawn"] is ("declinedFor" not in copy) is ("holdOrderID" not in copy)


@pytest.mark.parametrize("is_withdrawal", [False, True])
def test_authorisation_or_change_wins_at_the_deadline(sandbox: Sandbox, is_withdrawal: bool) -> None:
    seller = person()
    placed = sandbox.ordered(sandbox.on_sale(TICKETS, seller=seller), [person() for _ in range(TICKETS)])
    new = {"title": "Row 1, seat 1", "price": "500.00", "withdrawn": is_withdrawal}

    runners: list[list[Invocation]] = []
    for number, one in enumerate(placed):
        over = datetime.fromisoformat(one["expiresAt"])
        authorisation = paid("payment:authorized", one, at=over)
        request = _request(one["ticket"]["id"], seller, new, at=over)
        match number % 3:  # one after the other in both orders, so that each side wins some; the third part races
            case 0:
                runners.append([authorisation, request])
            case 1:
                runners.append([request, authorisation])
            case _:
                runners += [[authorisation], [request]]
    outcomes = sandbox.race(runners)

    assert all(outcome.is_taken for ran in outcomes for outcome in ran)
    sandbox.check()
    statuses = {one["ticketID"]: one["status"] for one in sandbox.orders()}
    for copy in _copies(sandbox):
        is_declined = copy.get("declinedFor") == "held"
        assert statuses[copy["id"]] == ("awaiting:payment" if is_declined else "cancelled")
        assert (copy["price"], copy["withdrawn"]) == (("10.00", False) if is_declined else ("500.00", is_withdrawal))
    assert len({*statuses.values()}) == 2


def test_changes_racing_orders_from_end_to_end(sandbox: Sandbox) -> None:
    seller = person()
    tickets = sandbox.on_sale(12, seller=seller, price="10.00")
    edit = {"title": "Row 1, seat 1", "price": "500.00"}
    changes = [
        http("PUT", f"/api/tickets/{ticket}", edit, by=seller)
        if number % 2
        else http("DELETE", f"/api/tickets/{ticket}", by=seller)
        for number, ticket in enumerate(tickets)
    ]
    idle = http("GET", "/api/orders", by=person())
    orders = [[idle] * (number % 5) + [order(ticket, person())] for number, ticket in enumerate(tickets * 2)]

    outcomes = [ran[-1] for ran in sandbox.race([[change] for change in changes] + orders, courier=True)]
    answers, placed = outcomes[: len(changes)], outcomes[len(changes) :]

    assert {outcome.status for outcome in answers} <= {200, 202, 204, 409}  # 202: the change may still be pending
    assert {outcome.code for outcome in placed} <= {"", "ticket_held", "ticket_withdrawn"}
    copies = {copy["id"]: copy for copy in _copies(sandbox)}
    for number, (ticket, answer) in enumerate(zip(tickets, answers, strict=True)):
        bought = {one.json["ticket"]["price"] for one in placed if not one.code and one.json["ticket"]["id"] == ticket}
        is_declined = "declinedFor" in copies[ticket]
        assert answer.status == 202 or (answer.status == 409) is is_declined
        if is_declined:
            assert answer.status == 202 or answer.code == "ticket_held"
            assert bought == {"10.00"}
        else:
            assert bought <= ({"500.00"} if number % 2 else set()), "an order survived a change in force"
    sandbox.check()


def test_changes_racing_order_events_in_tickets(sandbox: Sandbox) -> None:
    """Orders knows none of these orders, so it accepts every change that Tickets requests."""
    seller = person()
    tickets = sandbox.on_sale(12, seller=seller)

    def edit(ticket: str, price: str) -> Invocation:
        return http("PUT", f"/api/tickets/{ticket}", {"title": "Row 1, seat 1", "price": price}, by=seller)

    def order_event(event_type: str, ticket: str, hold: int) -> Invocation:
        held = {"id": ticket, "title": "Row 1, seat 1", "price": "10.00", "currency": "usd", "hold": hold}
        expires_at = clock.to_rfc3339(clock.now() + WINDOW)
        data = {"id": f"order {hold}", "userID": new_id(), "expiresAt": expires_at, "version": hold, "ticket": held}
        status = {
            "order:created": {"status": "created"},
            "order:cancelled": {"status": "cancelled", "reason": "expired"},
        }
        return delivery("tickets", event_type, data | status[event_type])

    outcomes = sandbox.race(
        [
            [edit(ticket, "11.00") for ticket in tickets],
            [edit(ticket, "12.00") for ticket in tickets],
            [edit(ticket, "13.00") for ticket in tickets],
            [order_event("order:created", ticket, 1) for ticket in tickets],
            [order_event("order:created", ticket, 1) for ticket in tickets],
            [order_event("order:cancelled", ticket, 2) for ticket in tickets],
            [order_event("order:created", ticket, 3) for ticket in tickets],
            [http("DELETE", f"/api/tickets/{ticket}", by=seller) for ticket in tickets[::3]],
        ],
        courier=True,
    )

    edits, events, withdrawals = outcomes[:3], outcomes[3:7], outcomes[7]
    assert all(outcome.is_taken for runner in events for outcome in runner)
    assert {outcome.code for runner in edits for outcome in runner} <= {"", "ticket_held", "change_pending"}
    assert {outcome.status for outcome in withdrawals} <= {202, 204, 409}
    in_force = Counter(one.json["id"] for runner in edits for one in runner if one.status == 200)
    withdrawn = {ticket for ticket, done in zip(tickets[::3], withdrawals, strict=True) if done.status == 204}
    copies = {copy["id"]: copy for copy in _copies(sandbox)}
    for item in sandbox.items("tickets"):
        copy, decided = copies[item["id"]], len(item.get("decisions", {}))
        assert "pending" not in item
        assert (item["price"], "withdrawnAt" in item) == (copy["price"], copy["withdrawn"])
        assert in_force[item["id"]] + (item["id"] in withdrawn) <= decided <= 4
        assert ("withdrawnAt" in item) >= (item["id"] in withdrawn)
        assert item["holdNumber"] == 3  # Orders' newest event won
        followed = item["version"] - 1 - 2 * decided
        assert 1 <= followed <= 3, "an event was applied twice"


def _against(
    sandbox: Sandbox, orders: list[list[Invocation]], words: list[Invocation]
) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of the sellers' calls and of the orders, each in its own process.

    An order reads and then writes. Some of the sellers' calls follow one to three reads, so that they arrive before,
    between and after an order's two calls.
    """
    idle = http("GET", "/api/orders", by=person())
    ran = sandbox.race(orders + [[idle] * (number % 4) + [word] for number, word in enumerate(words)])
    last = [outcomes[-1] for outcomes in ran]
    return last[len(orders) :], last[: len(orders)]


def _request(ticket: str, seller: Person, change: dict[str, Any], *, at: datetime | None = None) -> Invocation:
    """Tickets' request to Orders for a seller's change."""
    data = {"id": ticket, "version": 2, "currency": "usd", "userID": seller.id, "changeID": "change"}
    return delivery("orders", "ticket:change-requested", data | change, at=at)


def _copies(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [item for item in sandbox.items("orders") if item["sk"] == "ticket"]


def _holds(sandbox: Sandbox) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Orders' copies of tickets before and after each write that took a hold."""
    taken = [
        (before, after)
        for before, after in sandbox.changes("orders")
        if after.get("sk") == "ticket" and after.get("holdOrderID") not in (None, before.get("holdOrderID"))
    ]
    assert taken
    return taken
