"""Buying a ticket from end to end."""

import http.client
from urllib.parse import urlencode, urlsplit

from local.api_client import Client
from tests.e2e.conftest import Marketplace, eventually, problem


def test_order_and_payment_buy_the_ticket(marketplace: Marketplace, seller: Client, alice: Client, bob: Client) -> None:
    ticket = marketplace.sell(seller, title="Cup final", price="120.00")
    order = marketplace.order(alice, ticket)
    assert order["status"] == "created"
    assert (order["ticket"]["price"], order["ticket"]["currency"]) == ("120.00", "usd")
    payment = marketplace.pay(alice, order).expect(200, 201)
    assert (payment["amount"], payment["currency"]) == (12000, "usd")
    marketplace.settle_purchase(alice, order)

    assert ticket not in marketplace.on_sale()
    problem(bob.post("/api/orders", {"ticketID": ticket}), 409, "ticket_sold")
    problem(alice.post("/api/orders", {"ticketID": ticket}), 409, "ticket_sold")
    problem(alice.delete(f"/api/orders/{order['id']}"), 409)
    assert alice.get("/api/orders").expect(200)["orders"][0]["id"] == order["id"]
    assert bob.get("/api/orders").expect(200)["orders"] == []
    problem(bob.get(f"/api/orders/{order['id']}"), 404)
    problem(bob.get(f"/api/payments/{order['id']}"), 404)
    assert marketplace.pay(alice, order).expect(200)["id"] == payment["id"], "paying again changes nothing"

    expected = {(alice.email, "Your ticket: Cup final"), (seller.email, "Sold: Cup final")}
    eventually(lambda: marketplace.mails_about("Cup final") == expected, "both sides were mailed")


def test_a_declined_card_can_be_replaced(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    order = marketplace.order(alice, marketplace.sell(seller))
    declined = marketplace.pay(alice, order, "tok_chargeDeclinedInsufficientFunds")
    assert problem(declined, 402, "card_declined")["declineCode"] == "insufficient_funds"
    assert marketplace.order_status(alice, order) == "created"
    marketplace.pay(alice, order).expect(200, 201)
    marketplace.settle_purchase(alice, order)


def test_a_3d_secure_card_is_charged_after_authentication(
    marketplace: Marketplace, seller: Client, alice: Client
) -> None:
    order = marketplace.order(alice, marketplace.sell(seller))
    payment = marketplace.pay(alice, order, "pm_card_threeDSecure2Required").expect(200, 201)
    assert payment["status"] == "open"
    assert payment["clientSecret"]

    stripe = urlsplit(marketplace.stack.stripe_url)
    connection = http.client.HTTPConnection(stripe.hostname or "", stripe.port, timeout=30)
    connection.request(
        "POST",
        f"/local/3ds/{payment['stripeId']}",
        body=urlencode({"outcome": "complete"}),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert connection.getresponse().status < 400
    connection.close()
    marketplace.settle_purchase(alice, order)


def test_a_cancelled_order_frees_its_ticket_at_once(
    marketplace: Marketplace, seller: Client, alice: Client, bob: Client
) -> None:
    ticket = marketplace.sell(seller)
    order = marketplace.order(alice, ticket)
    alice.delete(f"/api/orders/{order['id']}").expect(204)
    alice.delete(f"/api/orders/{order['id']}").expect(204)
    assert marketplace.order_status(alice, order) == "cancelled"
    marketplace.order(bob, ticket)

    answer = marketplace.pay(alice, order)
    if answer.status == 409:
        problem(answer, 409, "order_cancelled")
    else:  # Payments had not received the order yet
        eventually(lambda: marketplace.payment_status(alice, order) == "voided", "her money is released")


def test_only_a_ticket_that_is_not_held_can_be_changed(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    ticket = marketplace.sell(seller, price="10.00")
    order = marketplace.order(alice, ticket)
    eventually(lambda: marketplace.ticket(ticket)["status"] == "reserved", "the hold shows")
    problem(seller.put(f"/api/tickets/{ticket}", {"title": "Dearer", "price": "99.00"}), 409, "ticket_held")
    problem(seller.delete(f"/api/tickets/{ticket}"), 409, "ticket_held")
    (mine,) = seller.get("/api/tickets/mine").expect(200)["tickets"]
    assert mine["orderID"] == order["id"], "its seller sees which order"
    assert "orderID" not in marketplace.ticket(ticket), "other users do not"

    alice.delete(f"/api/orders/{order['id']}").expect(204)
    eventually(lambda: marketplace.ticket(ticket)["status"] == "available", "the hold is gone")
    problem(alice.put(f"/api/tickets/{ticket}", {"title": "Mine", "price": "0.50"}), 403)
    edited = marketplace.change(seller, ticket, {"title": "Dearer", "price": "99"}).expect(200)
    assert edited["price"] == "99.00"
    problem(alice.post("/api/orders", {"ticketID": ticket, "price": "10.00"}), 409, "price_changed")
    assert alice.post("/api/orders", {"ticketID": ticket, "price": "99.0"}).expect(201)["ticket"]["price"] == "99.00"


def test_a_withdrawn_ticket_is_not_for_sale(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    ticket = marketplace.sell(seller)
    marketplace.change(seller, ticket, None).expect(204)
    assert ticket not in marketplace.on_sale()
    problem(alice.post("/api/orders", {"ticketID": ticket}), 409, "ticket_withdrawn")


def test_the_same_key_and_body_return_the_first_answer(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    body = {"title": "Once", "price": "5.00"}
    first = seller.post("/api/tickets", body, Idempotency_Key="key-1")
    again = seller.post("/api/tickets", body, Idempotency_Key="key-1")
    assert (first.status, first.body) == (again.status, again.body)
    problem(
        seller.post("/api/tickets", {**body, "price": "6.00"}, Idempotency_Key="key-1"), 422, "idempotency_key_reused"
    )
    assert alice.post("/api/tickets", body, Idempotency_Key="key-1").expect(201)["id"] != first.body["id"]
    mine = seller.get("/api/tickets/mine").expect(200)["tickets"]
    assert [ticket["id"] for ticket in mine] == [first.body["id"]]

    ticket = first.body["id"]
    eventually(lambda: ticket in marketplace.on_sale(), "it is on sale")
    placed = alice.post_until_replicated("/api/orders", {"ticketID": ticket}).expect(201)
    assert alice.post("/api/orders", {"ticketID": ticket}).expect(200)["id"] == placed["id"], (
        "the buyer's own live order"
    )


def test_a_seller_cannot_buy_their_own_ticket(marketplace: Marketplace, seller: Client) -> None:
    ticket = marketplace.sell(seller)
    problem(seller.post_until_replicated("/api/orders", {"ticketID": ticket}), 403, "own_ticket")
