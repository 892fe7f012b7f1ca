"""Refunds at Stripe or by the seller: shown to both. A full one withdraws the ticket, which can be sold again."""

import pytest

from local.api_client import Client
from tests.e2e.conftest import Marketplace, eventually, problem


def _buy(marketplace: Marketplace, seller: Client, buyer: Client) -> tuple[str, str, str]:
    """A bought ticket, its order and its PaymentIntent."""
    ticket = marketplace.sell(seller, price="45.00")
    order = marketplace.order(buyer, ticket)
    payment = marketplace.pay(buyer, order).expect(200, 201)
    marketplace.settle_purchase(buyer, order)
    return ticket, order["id"], payment["stripeId"]


@pytest.mark.parametrize(
    ("form", "amount", "cents", "status", "payment_status"),
    [("", "45.00", 4500, "refunded", "refunded"), ("&amount=1250", "12.50", 1250, "completed", "captured")],
    ids=["in full", "in part"],
)
def test_a_refund_at_stripe_is_shown_to_buyer_and_seller(
    marketplace: Marketplace,
    seller: Client,
    alice: Client,
    bob: Client,
    *,
    form: str,
    amount: str,
    cents: int,
    status: str,
    payment_status: str,
) -> None:
    ticket, order, stripe_id = _buy(marketplace, seller, alice)
    marketplace.at_stripe("/v1/refunds", f"payment_intent={stripe_id}{form}")
    eventually(lambda: "refund" in alice.get(f"/api/orders/{order}").expect(200), "the order shows the refund")
    shown = alice.get(f"/api/orders/{order}").expect(200)
    paid = alice.get(f"/api/payments/{order}").expect(200)

    assert (shown["status"], shown["refund"]["amount"]) == (status, amount)
    assert shown["refund"]["reason"] == "refunded_at_stripe"
    assert (paid["status"], paid["amountRefunded"]) == (payment_status, cents)
    has_ticket = [shown] if status == "completed" else []
    assert alice.get(f"/api/orders?ticketID={ticket}").expect(200) == {"orders": has_ticket, "nextCursor": None}
    assert bob.get(f"/api/orders?ticketID={ticket}").expect(200) == {"orders": [], "nextCursor": None}

    eventually(lambda: "refund" in _mine(seller), "the seller sees the refund")
    ticket_status = "sold" if status == "completed" else "withdrawn"
    assert (_mine(seller)["status"], _mine(seller)["refund"]) == (ticket_status, shown["refund"])
    assert "refund" not in marketplace.ticket(ticket), "other users do not"
    problem(bob.post("/api/orders", {"ticketID": ticket}), 409, f"ticket_{ticket_status}")


def test_a_seller_refunds_and_sells_the_ticket_again(
    marketplace: Marketplace, seller: Client, alice: Client, bob: Client
) -> None:
    ticket, order, _ = _buy(marketplace, seller, alice)
    assert alice.post(f"/api/orders/{order}/refund-request", {"reason": "I am ill"}).status == 202
    eventually(lambda: "refundRequest" in _mine(seller), "the seller sees the request")
    assert seller.post(f"/api/orders/{order}/refund", {}).expect(202)["id"] == order

    eventually(lambda: alice.get(f"/api/orders/{order}").expect(200)["status"] == "refunded", "the money goes back")
    eventually(lambda: _mine(seller)["status"] == "withdrawn", "the seller has the ticket again")
    seller.post(f"/api/tickets/{ticket}/relist", {}).expect(200, 202)
    eventually(lambda: _mine(seller)["status"] == "available", "the ticket is on sale again")
    again = marketplace.order(bob, ticket)
    marketplace.pay(bob, again).expect(200, 201)
    marketplace.settle_purchase(bob, again)


def _mine(seller: Client) -> dict[str, object]:
    (ticket,) = seller.get("/api/tickets/mine").expect(200)["tickets"]
    return dict(ticket)
