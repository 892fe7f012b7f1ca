"""What Orders keeps about a user, and whether an order of theirs is open. Auth calls this function.

    {"operation": "export", "userID", "after", "limit"}   one page of the user's orders, newest first
    {"operation": "check" or "close", "userID", "after"}  why the account cannot be erased, as far as one page shows

`after` is the id of the last entry of the page before, or absent; `next` is the `after` of the next page, or null. An
open order ends by itself, so `close` does nothing besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.orders.order import OrderStatus
from functions.orders.schemas import OrderOut
from functions.orders.store import LISTING, OrderStore
from shared import clock, settings
from shared.ids import UserID
from shared.pagination import encode_cursor
from shared.table import Table

CHECKED = 1000
"""Orders in one page of a check: about 600 KB, which is less than DynamoDB returns in one call."""

OPEN = (OrderStatus.CREATED, OrderStatus.AWAITING_PAYMENT)
"""Also past the deadline: until it is cancelled, such an order can still be paid."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the function."""

    table_name: str


def handler(question: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    store = OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
    user_id, after = UserID(question["userID"]), question.get("after")
    is_export = question["operation"] == "export"
    page = store.orders(
        user_id,
        limit=question["limit"] if is_export else CHECKED,
        cursor=encode_cursor(LISTING, after) if after else None,
        consistent=True,
    )
    next_after = page.entries[-1].id if page.next_cursor else None
    if not is_export:
        is_open = any(order.status in OPEN for order in page.entries)
        return {"reasons": ["order_open"] if is_open else [], "next": next_after}
    orders = [OrderOut.of(order).model_dump(mode="json") for order in page.entries]
    windows = store.recent_holds(user_id).windows if after is None else {}
    holds = [{"ticketID": ticket_id, "until": clock.to_rfc3339(end)} for ticket_id, end in windows.items()]
    return {"records": {"orders": orders, "recentHolds": holds}, "next": next_after}
