"""Refunds made at Stripe: shown to buyer and seller, and the ticket stays sold."""

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
    assert alice.get(f"/api/orders?ticketID={ticket}").expect(200) == {"orders": [shown], "nextCursor": None}
    assert bob.get(f"/api/orders?ticketID={ticket}").expect(200) == {"orders": [], "nextCursor": None}

    eventually(lambda: "refund" in _mine(seller), "the seller sees the refund")
    assert (_mine(seller)["status"], _mine(seller)["refund"]) == ("sold", shown["refund"])
    assert "refund" not in marketplace.ticket(ticket), "other users do not"
    problem(bob.post("/api/orders", {"ticketID": ticket}), 409, "ticket_sold")


def _mine(seller: Client) -> dict[str, object]:
    (ticket,) = seller.get("/api/tickets/mine").expect(200)["tickets"]
    return dict(ticket)
