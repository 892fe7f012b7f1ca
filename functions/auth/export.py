"""What the system keeps about a user, page by page: first the account and their tickets, then their orders."""

from dataclasses import dataclass, field
from typing import Any

from functions.auth.other_services import Service, ask
from functions.auth.store import UserStore
from functions.auth.user import User, UserGone
from shared.ids import UserID
from shared.pagination import BadCursor, decode_cursor, encode_cursor

PAGE = 100
"""Entries of each kind in one page: about 200 KB in all, of the 6 MB that Lambda can return."""

_LISTINGS: dict[Service, str] = {"tickets": "export-tickets", "orders": "export-orders"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPage:
    """A page of the export. `user` is None on all pages but the first."""

    user: User | None
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    next_cursor: str | None = None


def export(store: UserStore, user_id: UserID, cursor: str | None) -> ExportPage:
    """Return a page of what all services keep about a user. Raises UserGone, BadCursor, ServiceUnavailable."""
    service, after = _position(cursor)
    user = store.user(user_id)
    if user is None:
        raise UserGone
    records: dict[str, list[dict[str, Any]]] = {}
    next_cursor = None
    if service == "tickets":
        next_cursor = _read("tickets", user_id, after, records)
        after = None
    if next_cursor is None:
        next_cursor = _read("orders", user_id, after, records)
        order_ids = [order["id"] for order in records["orders"]]
        records |= ask("payments", "export", user_id, orderIDs=order_ids)["records"]
    return ExportPage(user=None if cursor else user, records=records, next_cursor=next_cursor)


def _read(service: Service, user_id: UserID, after: str | None, records: dict[str, list[dict[str, Any]]]) -> str | None:
    """Add a page of a service's records; return the cursor of its next page, or None."""
    answer = ask(service, "export", user_id, after=after, limit=PAGE)
    records |= answer["records"]
    return encode_cursor(_LISTINGS[service], answer["next"]) if answer["next"] else None


def _position(cursor: str | None) -> tuple[Service, str | None]:
    """Return the service with which the page begins, and the id after which it begins. Raises BadCursor."""
    if cursor is None:
        return "tickets", None
    try:
        return "tickets", decode_cursor(_LISTINGS["tickets"], cursor)
    except BadCursor:
        return "orders", decode_cursor(_LISTINGS["orders"], cursor)
