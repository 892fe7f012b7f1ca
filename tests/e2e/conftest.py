"""The whole of Admit One on this machine, for these tests only: real HTTP, real functions, a short order window."""

import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from local.api_client import Client, Response
from local.stack import LOCAL, LocalStack, temporary_stack
from stripe_emulator.account import SECRET_KEY

WINDOW = 15
"""Seconds that an order holds its ticket: enough to pay on a slow machine."""
SETTLES_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Marketplace:
    """The stack as its users see it."""

    stack: LocalStack

    @property
    def anyone(self) -> Client:
        return self.stack.api

    def newcomer(self, name: str = "somebody") -> Client:
        return self.anyone.sign_up_or_in(f"{name}-{secrets.token_hex(4)}@example.com", secrets.token_hex(8))

    def sell(self, seller: Client, *, title: str = "Front row", price: str = "45.00") -> str:
        """Put a ticket on sale, wait until it can be ordered, and return its id."""
        ticket = str(seller.post("/api/tickets", {"title": title, "price": price}).expect(201)["id"])
        eventually(lambda: ticket in self.on_sale(), "the new ticket is on sale")
        eventually(lambda: bool(self.orders_copy(ticket)), "the new ticket is known to Orders")
        return ticket

    def on_sale(self) -> set[str]:
        page = self.anyone.get("/api/tickets?limit=100").expect(200)
        return {ticket["id"] for ticket in page["tickets"]}

    def order(self, buyer: Client, ticket: str) -> dict[str, Any]:
        order: dict[str, Any] = buyer.post_until_replicated("/api/orders", {"ticketID": ticket}).expect(201)
        return order

    def pay(self, buyer: Client, order: dict[str, Any], card: str = "tok_visa") -> Response:
        return buyer.post_until_replicated("/api/payments", {"orderId": order["id"], "token": card})

    def change(self, seller: Client, ticket: str, edit: dict[str, Any] | None) -> Response:
        """Edit the ticket, or withdraw it; retries with the same key while the change is pending."""
        method, path, key = "PUT" if edit else "DELETE", f"/api/tickets/{ticket}", secrets.token_hex(8)
        deadline = time.monotonic() + SETTLES_WITHIN
        while True:
            answer = seller.call(method, path, edit, headers={"Idempotency-Key": key})
            if answer.status != 202 or time.monotonic() > deadline:
                return answer
            time.sleep(int(answer.headers["retry-after"]))

    def ticket(self, ticket: str) -> dict[str, Any]:
        found: dict[str, Any] = self.anyone.get(f"/api/tickets/{ticket}").expect(200)
        return found

    def mails_about(self, title: str) -> set[tuple[str, str]]:
        """The recipient and the subject of each mail about the tickets with this title."""
        mails = self.anyone.get("/mail.json").expect(200)["mails"]
        return {(mail["to"], mail["subject"]) for mail in mails if mail["subject"].endswith(f": {title}")}

    def orders_copy(self, ticket: str) -> dict[str, Any]:
        """Orders' copy of a ticket, in DynamoDB's own form; empty until the ticket is replicated."""
        tables = self.stack.aws.dynamodb()
        (table,) = (name for name in tables.list_tables()["TableNames"] if "OrdersTable" in name)
        key = {"pk": {"S": f"ticket#{ticket}"}, "sk": {"S": "ticket"}}
        return dict(tables.get_item(TableName=table, Key=key).get("Item", {}))

    def at_stripe(self, path: str, form: str) -> None:
        """Act by hand in the local Stripe's account."""
        request = urllib.request.Request(  # noqa: S310  # our own local server
            f"{self.stack.stripe_url}{path}",
            data=form.encode(),
            headers={"Authorization": f"Bearer {SECRET_KEY}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200

    def order_status(self, buyer: Client, order: dict[str, Any]) -> str:
        return str(buyer.get(f"/api/orders/{order['id']}").expect(200)["status"])

    def payment_status(self, buyer: Client, order: dict[str, Any]) -> str:
        return str(buyer.get(f"/api/payments/{order['id']}").expect(200)["status"])

    def settle_purchase(self, buyer: Client, order: dict[str, Any]) -> None:
        """Wait until the ticket is bought in all three services."""
        eventually(lambda: self.order_status(buyer, order) == "completed", "the order is completed")
        eventually(lambda: self.payment_status(buyer, order) == "captured", "the money is captured")
        eventually(lambda: self.ticket(order["ticket"]["id"])["status"] == "sold", "the ticket is sold")


def eventually(is_so: Callable[[], bool], what: str, *, seconds: float = SETTLES_WITHIN) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not true: {what}"
        time.sleep(0.2)


def wait_for_deadline(order: dict[str, Any]) -> None:
    """Wait until the order is past its deadline, and return at the first instant."""
    time.sleep(max(0.0, datetime.fromisoformat(order["expiresAt"]).timestamp() - time.time()) + 0.001)


def problem(answer: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Check the problem document against section 3 of the design, and return it."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.body
    assert document.keys() >= {"type", "title", "status", "detail", "code", "errors", "requestId"}
    assert document["status"] == status
    assert all(error["message"] for error in document["errors"])
    if code:
        assert document["code"] == code
    return document


@pytest.fixture(scope="session")
def marketplace() -> Iterator[Marketplace]:
    with temporary_stack("e2e", order_window_seconds=WINDOW, logs=LOCAL / "logs" / "e2e", keep=True) as stack:
        marketplace = Marketplace(stack)
        _start_every_function(marketplace)
        yield marketplace


@pytest.fixture
def seller(marketplace: Marketplace) -> Client:
    return marketplace.newcomer("seller")


@pytest.fixture
def alice(marketplace: Marketplace) -> Client:
    return marketplace.newcomer("alice")


@pytest.fixture
def bob(marketplace: Marketplace) -> Client:
    return marketplace.newcomer("bob")


def _start_every_function(marketplace: Marketplace) -> None:
    """A first start takes seconds here, which would use up the first order's window."""
    seller, buyer = marketplace.newcomer("early"), marketplace.newcomer("bird")
    order = marketplace.order(buyer, marketplace.sell(seller))
    marketplace.pay(buyer, order, "tok_chargeDeclined")
    eventually(lambda: order["ticket"]["id"] not in marketplace.on_sale(), "the hold shows", seconds=60)
    buyer.delete(f"/api/orders/{order['id']}").expect(204)
    patient = replace(marketplace.anyone, timeout=60)
    patient.call("POST", "/api/payments/webhook", raw=b"{}")
    eventually(lambda: order["ticket"]["id"] in marketplace.on_sale(), "the first ticket is free again", seconds=60)
