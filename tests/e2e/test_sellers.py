"""A seller's change is final: no order placed before it overrules it."""

from typing import Any

from local.api_client import Answer, Api
from tests.e2e.conftest import Market, eventually, problem, wait_for_deadline

THREE_D_SECURE = "pm_card_threeDSecure2Required"
DEARER = {"title": "Front row", "price": "500.00"}
TRIES = 3


def test_3d_secure_after_a_change_cancels_order_voids_payment(market: Market, seller: Api, alice: Api) -> None:
    edits = [DEARER] * TRIES + [None] * TRIES
    tickets = [market.sell(seller, price="10.00") for _ in edits]
    orders, payments = [], []
    for ticket in tickets:
        orders.append(market.order(alice, ticket))
        payments.append(market.pay(alice, orders[-1], THREE_D_SECURE).expect(200, 201))
    wait_for_deadline(orders[-1])

    for ticket, edit, order, payment in zip(tickets, edits, orders, payments, strict=True):
        assert market.ticket(ticket)["status"] == "available"
        market.change(seller, ticket, edit).expect(200, 204)
        _authenticate(market, payment).expect(200, 400)  # 400: it is already voided
        assert market.order_status(alice, order) == "cancelled"
        assert market.ticket(ticket)["status"] == ("available" if edit else "withdrawn")

    for ticket, edit, order in zip(tickets, edits, orders, strict=True):
        _wait_for_void(market, alice, order)
        assert market.order_status(alice, order) == "cancelled"
        shown = market.ticket(ticket)
        assert (shown["status"], shown["price"]) == (("available", "500.00") if edit else ("withdrawn", "10.00"))
    assert market.order(alice, tickets[0])["ticket"]["price"] == "500.00"
    problem(alice.post("/api/orders", {"ticketID": tickets[-1]}), 409, "ticket_withdrawn")


def test_a_change_right_after_an_order_is_refused(market: Market, seller: Api, alice: Api) -> None:
    """The change is refused even if the hold has not been replicated to Tickets yet."""
    for edit in (DEARER, None):
        ticket = market.sell(seller, price="10.00")
        order = market.order(alice, ticket)
        problem(market.change(seller, ticket, edit), 409, "ticket_held")
        assert market.order_status(alice, order) == "created"
        assert market.ticket(ticket)["price"] == "10.00"


def test_an_edit_of_an_outdated_version_is_refused(market: Market, seller: Api) -> None:
    ticket = market.sell(seller, price="10.00")
    seen = market.ticket(ticket)["version"]
    market.change(seller, ticket, {"title": "Front row", "price": "100.00", "version": seen}).expect(200)

    better = {"title": "Front row, middle", "price": "10.00", "version": seen}
    problem(market.change(seller, ticket, better), 409, "ticket_changed")
    assert market.ticket(ticket)["price"] == "100.00"


def _wait_for_void(market: Market, buyer: Api, order: dict[str, Any]) -> None:
    eventually(lambda: market.payment_status(buyer, order) == "voided", "the money is released")


def _authenticate(market: Market, payment: dict[str, Any]) -> Answer:
    return Api(market.stack.stripe_url).call(
        "POST",
        f"/local/3ds/{payment['stripeId']}",
        raw=b"outcome=complete",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
