"""Set-up of orders: a ticket that Orders knows, and an order for it."""

from typing import Any

from shared.ids import new_id
from tests.support.lambda_events import Person, new_event
from tests.support.world import Response, World


def offer(world: World, seller: Person, *, price: str = "12.50") -> str:
    """Deliver a ticket's event to Orders; return the ticket's id."""
    ident = new_id()
    deliver_ticket(world, ident, seller, price=price)
    return ident


def deliver_ticket(
    world: World, ident: str, seller: Person, *, version: int = 1, price: str = "12.50", **more: object
) -> None:
    data = {"id": ident, "version": version, "title": "A seat", "price": price, "currency": "usd", "userID": seller.id}
    event_type = "ticket:updated" if "change" in more else "ticket:created"
    assert world.deliver(new_event(event_type, data | more), "orders")


def place(world: World, ticket_id: str, buyer: Person, **more: Any) -> Response:
    return world.call("POST", "/api/orders", {"ticketID": ticket_id, **more}, by=buyer)
