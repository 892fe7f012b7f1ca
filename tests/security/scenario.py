"""A seller with a ticket in every status, a buyer with the orders and payments, and a stranger."""

import copy
from typing import Any

from tests.support.lambda_events import WITH_TABLE, Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

PASSWORD = "correct horse"
"""Of all users."""


class Scenario:
    """The existing data by name: ids of tickets, and of the orders for them."""

    def __init__(self, world: World, stripe: Stripe) -> None:
        self.world = world
        self.stripe = stripe
        self.seller, self.buyer, self.stranger = (
            self._user(f"{name}@example.com") for name in ("seller", "buyer", "stranger")
        )
        self.tickets = {
            name: self._sell(name)
            for name in ("available", "ordered", "paying", "sold", "cancelled", "withdrawn", "refunded")
        }
        self.settle()
        self.orders = {name: self._order(name) for name in ("ordered", "paying", "sold", "cancelled", "refunded")}
        self.settle()
        self._pay("paying")
        self._pay("sold", token="tok_visa")
        self._pay("refunded", token="tok_visa")
        world.call("DELETE", f"/api/orders/{self.orders['cancelled']}", by=self.buyer)
        world.call("DELETE", f"/api/tickets/{self.tickets['withdrawn']}", by=self.seller)
        self.settle()
        self.settle()
        world.call("POST", f"/api/orders/{self.orders['refunded']}/refund", {}, by=self.seller)
        self.settle()
        self._saved = world.tables.save(), stripe.save(), world.time.instant

    def again(self, world: World, stripe: Stripe) -> "Scenario":
        """Copy it into another test's world, in a hundredth of the time."""
        items, at_stripe, world.time.instant = self._saved
        world.tables.restore(items)
        stripe.restore(at_stripe)
        made = copy.copy(self)
        made.world, made.stripe = world, stripe
        return made

    def settle(self) -> None:
        """Deliver all events, Stripe's webhooks included."""
        self.stripe.webhooks(self.world)
        self.world.settle(without=("expiration",))

    def state(self) -> list[dict[str, Any]]:
        """Return everything stored, except idempotency records."""
        kept = [item for service in WITH_TABLE for item in self.world.items(service)]
        return sorted((item for item in kept if not item["pk"].startswith("idempotency#")), key=str)

    def who(self, name: str) -> Person | None:
        """Return the seller, the buyer or the stranger; None for any other name."""
        return {"seller": self.seller, "buyer": self.buyer, "stranger": self.stranger}.get(name)

    def _user(self, email: str) -> Person:
        """Sign up a user, who has verified the address."""
        user = self.world.call("POST", "/api/users/signup", {"email": email, "password": PASSWORD}).json
        assert self.world.perform_tasks() == []
        token = {"token": self.world.ses.token(email)}
        assert self.world.call("POST", "/api/users/email/verify", token).status == 204
        [session_id] = next(item["sessions"] for item in self.world.items("auth") if item["pk"] == f"user#{user['id']}")
        return Person(user["id"], email, session_id)

    def _sell(self, title: str) -> str:
        answer = self.world.call("POST", "/api/tickets", {"title": title, "price": "12.50"}, by=self.seller)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def _order(self, name: str) -> str:
        answer = self.world.call("POST", "/api/orders", {"ticketID": self.tickets[name]}, by=self.buyer)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def _pay(self, name: str, **body: str) -> None:
        answer = self.world.call("POST", "/api/payments", {"orderId": self.orders[name], **body}, by=self.buyer)
        assert answer.status == 201, answer.text
