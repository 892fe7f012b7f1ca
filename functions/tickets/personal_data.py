"""What Tickets keeps about a seller, and whether an order holds a ticket of theirs. Auth calls this function.

    {"operation": "export", "userID", "after", "limit"}   one page of the user's tickets, newest first
    {"operation": "check", "userID", "after"}             whether orders hold tickets of one page
    {"operation": "close", "userID", "after"}             withdraws the unsold tickets of one page

`after` is the id of the last entry of the page before, or absent; `next` is the `after` of the next page, or null.
`reasons` are empty for `close` once all tickets of the page are sold or withdrawn, which they stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.tickets import actions
from functions.tickets.schemas import OwnTicketOut
from functions.tickets.store import MINE, TicketStore
from functions.tickets.ticket import TicketStatus
from shared import clock, settings
from shared.ids import UserID
from shared.pagination import encode_cursor
from shared.table import Table

CHECKED = 500
"""Tickets in one page of a check: six reads."""
CLOSED = 100
"""Tickets in one page of a run that withdraws: for each a read and a write, about a second."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the function."""

    table_name: str


def handler(question: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    store = TicketStore(Table(settings.load(Settings).table_name))
    operation, after, now = question["operation"], question.get("after"), clock.now()
    page = store.of_seller(
        UserID(question["userID"]),
        limit={"check": CHECKED, "close": CLOSED}.get(operation) or question["limit"],
        cursor=encode_cursor(MINE, after) if after else None,
    )
    answer: dict[str, Any] = {"next": page.entries[-1].id if page.next_cursor else None}
    match operation:
        case "export":
            tickets = [OwnTicketOut.of(ticket, now).model_dump(mode="json") for ticket in page.entries]
            return answer | {"records": {"tickets": tickets}}
        case "check":
            is_held = any(ticket.status(now) is TicketStatus.RESERVED for ticket in page.entries)
            return answer | {"reasons": ["ticket_held"] if is_held else []}
        case _:
            unsold = [ticket for ticket in page.entries if not ticket.is_over]
            for ticket in unsold:
                actions.close_ticket(store, ticket.id)
            return answer | {"reasons": ["ticket_unsold"] if unsold else []}
