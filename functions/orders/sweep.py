"""The sweep: expires orders that are more than GRACE past their deadline, since their timer was lost.

Until then a lapsed hold can be taken over, but the payment of such an order stays unsettled.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.orders import actions
from functions.orders.store import OrderStore
from shared import clock, settings
from shared.table import Table
from shared.telemetry import count, logger

GRACE = timedelta(minutes=3)  # a timer fires up to 60 s late, and its message may be retried


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the sweep."""

    table_name: str


def handler(_event: dict[str, Any], _context: object) -> None:
    """Expire overdue orders; runs on a schedule.

    Raises RuntimeError with the number of orders that could not be expired, after all have been tried.
    """
    store = OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
    failed = 0
    for user_id, order_id in store.overdue(clock.now() - GRACE):
        try:
            if actions.expire_order(store, user_id=user_id, order_id=order_id):
                logger.warning("expired an order whose timer was lost", order_id=order_id)
                count("OrdersSwept")
        except Exception:
            failed += 1
            logger.exception("could not expire an overdue order", order_id=order_id)
    if failed:
        raise RuntimeError(f"{failed} overdue orders could not be expired; the next sweep retries them")
