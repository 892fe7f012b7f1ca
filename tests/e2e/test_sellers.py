"""A seller's change is final: no order placed before it overrules it."""

import time
from typing import Any

from local.api_client import Client, Response
from tests.e2e.conftest import Marketplace, eventually, problem, wait_for_deadline

THREE_D_SECURE = "pm_card_threeDSecure2Required"
DEARER = {"title": "Front row", "price": "500.00"}
TRIES = 3


def test_3d_secure_after_a_change_cancels_order_voids_payment(
    marketplace: Marketplace, seller: Client, alice: Client
) -> None:
    edits = [DEARER] * TRIES + [None] * TRIES
    tickets = [marketplace.sell(seller, price="10.00") for _ in edits]
    orders, payments = [], []
    for ticket in tickets:
        orders.append(marketplace.order(alice, ticket))
        payments.append(marketplace.pay(alice, orders[-1], THREE_D_SECURE).expect(200, 201))
    wait_for_deadline(orders[-1])

    for ticket, edit, order, payment in zip(tickets, edits, orders, payments, strict=True):
        assert marketplace.ticket(ticket)["status"] == "available"
        marketplace.change(seller, ticket, edit).expect(200, 204)
        _authenticate(marketplace, payment).expect(200, 400)  # 400: it is already voided
        assert marketplace.order_status(alice, order) == "cancelled"
        assert marketplace.ticket(ticket)["status"] == ("available" if edit else "withdrawn")

    for ticket, edit, order in zip(tickets, edits, orders, strict=True):
        _wait_for_void(marketplace, alice, order)
        assert marketplace.order_status(alice, order) == "cancelled"
        shown = marketplace.ticket(ticket)
        assert (shown["status"], shown["price"]) == (("available", "500.00") if edit else ("withdrawn", "10.00"))
    assert marketplace.order(marketplace.newcomer("bob"), tickets[0])["ticket"]["price"] == "500.00"
    problem(alice.post("/api/orders", {"ticketID": tickets[-1]}), 409, "ticket_withdrawn")


def test_a_change_right_after_an_order_is_refused(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    """The change is refused even if the hold has not been replicated to Tickets yet."""
    for edit in (DEARER, None):
        ticket = marketplace.sell(seller, price="10.00")
        order = marketplace.order(alice, ticket)
        problem(marketplace.change(seller, ticket, edit), 409, "ticket_held")
        assert marketplace.order_status(alice, order) == "created"
        assert marketplace.ticket(ticket)["price"] == "10.00"


def test_an_edit_of_an_outdated_version_is_refused(marketplace: Marketplace, seller: Client) -> None:
    ticket = marketplace.sell(seller, price="10.00")
    seen = marketplace.ticket(ticket)["version"]
    marketplace.change(seller, ticket, {"title": "Front row", "price": "100.00", "version": seen}).expect(200)

    better = {"title": "Front row, middle", "price": "10.00", "version": seen}
    problem(marketplace.change(seller, ticket, better), 409, "ticket_changed")
    assert marketplace.ticket(ticket)["price"] == "100.00"


def test_an_edit_is_read_at_once_past_the_cache_and_a_second_later_by_all(
    marketplace: Marketplace, seller: Client, alice: Client
) -> None:
    ticket = marketplace.sell(seller, price="10.00")
    path = f"/api/tickets/{ticket}"
    for each in range(2):  # the second time, if the first took too long
        shown = [alice.call("GET", path) for _ in range(2)]
        assert {response.headers["cache-control"] for response in shown} == {"no-store"}
        if "age" in shown[1].headers:
            break
        assert each == 0, "nothing was cached"

    marketplace.change(seller, ticket, DEARER).expect(200)
    assert seller.get(path).expect(200)["price"] == "500.00"
    listed = seller.get("/api/tickets?limit=100").expect(200)["tickets"]
    assert [each["price"] for each in listed if each["id"] == ticket] == ["500.00"]
    time.sleep(1)
    assert alice.call("GET", path).expect(200)["price"] == "500.00"


def _wait_for_void(marketplace: Marketplace, buyer: Client, order: dict[str, Any]) -> None:
    eventually(lambda: marketplace.payment_status(buyer, order) == "voided", "the money is released")


def _authenticate(marketplace: Marketplace, payment: dict[str, Any]) -> Response:
    return Client(marketplace.stack.stripe_url).call(
        "POST",
        f"/local/3ds/{payment['stripeId']}",
        raw=b"outcome=complete",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
