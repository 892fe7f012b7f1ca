"""Set-up of earnings: a sale that has completed, and events of its order."""

from typing import Any

from tests.integration.placing import offer, place
from tests.support.lambda_events import Person, new_event
from tests.support.world import World


def buy(world: World, seller: Person) -> dict[str, Any]:
    """Sell a ticket for 12.50; return the completed order."""
    buyer = world.person("buyer@example.com")
    placed: dict[str, Any] = place(world, offer(world, seller), buyer).json
    world.settle(without=("expiration", "tickets"))
    paid = world.call("POST", "/api/payments", {"orderId": placed["id"], "token": "tok_visa"}, by=buyer)
    assert paid.status == 201
    world.settle(without=("expiration", "tickets"))
    return placed


def order_event(world: World, order: dict[str, Any], status: str, version: int, **more: Any) -> dict[str, Any]:
    """Return an event of a completed order, in another status."""
    item = next(item for item in world.items("orders") if item.get("id") == order["id"])
    ticket = {
        "id": item["ticketID"],
        "title": item["title"],
        "price": item["price"],
        "currency": item["currency"],
        "hold": int(item["hold"]),
        "sellerID": item["sellerID"],
        "fee": item["fee"],
    }
    data = {"id": order["id"], "version": version, "status": status, "userID": item["userID"], "ticket": ticket}
    return new_event(f"order:{status}", data | {"expiresAt": "2026-11-23T12:05:00Z"} | more)
