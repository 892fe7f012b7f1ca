"""The sweep: finds orders that are more than GRACE past their deadline, since their timer was lost, and queues them.

Runs on a schedule. Until an order is expired a lapsed hold can be taken over, but its payment stays unsettled.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.orders.store import OrderStore
from shared import clock, settings
from shared.table import Table
from shared.telemetry import logger
from shared.work_queue import WorkQueue, remaining_time

GRACE = timedelta(minutes=3)  # a timer fires up to 60 s late, and its message may be retried


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the sweep."""

    table_name: str
    overdue_queue_url: str


def handler(_event: dict[str, Any], context: object) -> None:
    """Queue the overdue orders for the expirer."""
    env = settings.load(Settings)
    store = OrderStore(Table(env.table_name, has_sort_key=True))
    overdue = store.overdue(clock.now() - GRACE)
    tasks = ({"userID": user_id, "orderID": order_id} for user_id, order_id in overdue)
    if queued := WorkQueue(env.overdue_queue_url).fill(tasks, remaining_time(context)):
        logger.warning("queued orders whose timers were lost", queued=queued)
