"""The sweep: ends orders that are some minutes past their deadline because their timer was lost.

Nothing is wrong while they wait, since a lapsed hold can be taken over; but their payments want a verdict.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.orders import actions
from functions.orders.store import OrderStore
from shared import clock, settings
from shared.table import Table
from shared.telemetry import count, logger

GRACE = timedelta(minutes=3)  # a timer comes up to 60 s late, and its message may be tried again


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the sweep."""

    table_name: str


def handler(_event: dict[str, Any], _context: object) -> None:
    """Entry point, on a schedule."""
    store = OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
    failed = 0
    for user_id, order_id in store.overdue(clock.now() - GRACE):
        try:
            if actions.expire(store, user_id=user_id, order_id=order_id):
                logger.warning("ended an order whose timer was lost", order_id=order_id)
                count("OrdersSwept")
        except Exception:
            failed += 1
            logger.exception("could not end an overdue order", order_id=order_id)
    if failed:
        raise RuntimeError(f"{failed} overdue orders could not be ended; the next sweep tries them again")
