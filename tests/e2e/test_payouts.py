"""A seller connects an account on the local Stripe's pages, sells, and is paid; a refund takes the money back."""

import urllib.parse
import urllib.request
from typing import Any

from local.api_client import Client
from tests.e2e.conftest import Marketplace, eventually

PAID_WITHIN = 90.0
"""Seconds: the local hold of 30, and the finder's and the worker's time."""


def test_a_seller_is_paid_and_a_refund_takes_it_back(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    assert _account(seller)["status"] == "none"
    link = seller.call("POST", "/api/payouts/account").expect(200)
    assert link["status"] == "incomplete"
    _enter_details(link["url"])
    eventually(lambda: _account(seller)["status"] == "ready", "the account is ready")

    ticket = marketplace.sell(seller, title="Row 9, to be paid", price="45.00")
    order = marketplace.order(alice, ticket)
    payment = marketplace.pay(alice, order).expect(200, 201)
    marketplace.settle_purchase(alice, order)
    eventually(lambda: bool(_payouts(seller)), "the earnings are recorded")
    [earned] = _payouts(seller)
    assert (earned["orderID"], earned["ticket"]["id"], earned["gross"]) == (order["id"], ticket, "45.00")

    eventually(lambda: _status(marketplace, seller) == "paid", "the seller is paid", seconds=PAID_WITHIN)
    marketplace.at_stripe("/v1/refunds", f"payment_intent={payment['stripeId']}")
    eventually(lambda: _status(marketplace, seller) == "reversed", "the money is taken back", seconds=PAID_WITHIN)
    assert alice.get(f"/api/orders/{order['id']}").expect(200)["status"] == "refunded"
    subjects = {f"{what}: Row 9, to be paid" for what in ("You are paid", "Earnings taken back")}
    eventually(
        lambda: subjects <= {subject for _, subject in marketplace.mails_about("Row 9, to be paid")},
        "the seller is mailed",
    )


def _account(seller: Client) -> dict[str, Any]:
    return dict(seller.get("/api/payouts/account").expect(200))


def _payouts(seller: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seller.get("/api/payouts").expect(200)["payouts"]
    return found


def _status(marketplace: Marketplace, seller: Client) -> str:
    """Return the status of the only earnings, after a run of the finder, which otherwise runs every minute."""
    functions = marketplace.stack.aws.functions()
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if "PayoutsFinder" in function["FunctionName"]:
                functions.invoke(FunctionName=function["FunctionName"], Payload=b"{}")
    [earned] = _payouts(seller)
    return str(earned["status"])


def _enter_details(url: str) -> None:
    """Open the onboarding page, as a browser does, and enter all details; it leads back to the client."""
    with urllib.request.urlopen(url, timeout=30) as page:  # noqa: S310  # the local Stripe
        assert b"Enter all details" in page.read()
    form = urllib.parse.urlencode({"outcome": "complete"}).encode()
    request = urllib.request.Request(url, data=form, headers={"Accept": "text/html"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.url.endswith("/payouts?onboarding=returned")
