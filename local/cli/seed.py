"""Two users and three tickets for a new stack, created through the public API."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from local.api_client import Client

PASSWORD = "admit-one-demo"  # noqa: S105 - public, and valid on this machine only
SELLER = "seller@example.com"
BUYER = "buyer@example.com"
TICKETS = (
    ("Nina Simone tribute, front row", "45.00"),
    ("Cup final, block 112", "120.00"),
    ("Chamber music at noon", "18.50"),
)
LISTED_WITHIN = 30.0


class NotListed(RuntimeError):
    """A ticket was created but did not come on sale in time."""


@dataclass(frozen=True, slots=True)
class Seeded:
    seller: Client
    buyer: Client
    tickets: list[dict[str, Any]]


def seed(api: Client, *, clock: Callable[[], float] = time.monotonic) -> Seeded:
    """Create the demo's users, and one ticket of each kind on sale; creates only missing ones.

    Raises NotListed, and the errors of Client.
    """
    seller = api.sign_up_or_in(SELLER, PASSWORD)
    buyer = api.sign_up_or_in(BUYER, PASSWORD)
    offered = {ticket["title"]: ticket for ticket in _all_of(seller) if ticket["status"] in {"available", "reserved"}}
    tickets = []
    for title, price in TICKETS:
        ticket = offered.get(title) or seller.post("/api/tickets", {"title": title, "price": price}).expect(
            HTTPStatus.CREATED
        )
        tickets.append(ticket)

    free = {ticket["id"] for ticket in tickets if ticket["status"] == "available"}
    deadline = clock() + LISTED_WITHIN
    while missing := free - {ticket["id"] for ticket in _on_sale(api)}:
        if clock() > deadline:
            raise NotListed(f"{len(missing)} new tickets are not on sale after {LISTED_WITHIN:.0f} s")
        time.sleep(0.2)
    return Seeded(seller, buyer, tickets)


def _all_of(seller: Client) -> list[dict[str, Any]]:
    return _pages(seller, "/api/tickets/mine?limit=100")


def _on_sale(api: Client) -> list[dict[str, Any]]:
    return _pages(api, "/api/tickets?limit=100")


def _pages(api: Client, path: str) -> list[dict[str, Any]]:
    tickets: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.get(path + cursor).expect(HTTPStatus.OK)
        tickets += page["tickets"]
        if not page["nextCursor"]:
            return tickets
        cursor = f"&cursor={page['nextCursor']}"
