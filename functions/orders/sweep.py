"""The sweep: finds orders that wait for something that was lost, and queues them for the expirer.

Runs on a schedule. Orders that are more than GRACE past their deadline have lost their timer: until such an order is
expired a lapsed hold can be taken over, but its payment stays unsettled. Orders that stay `refunding` are published
again, and a request for a refund that nobody has answered is reported.
"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
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
    """Queue the overdue orders, and those with a refund or a request that is due, for the expirer."""
    env, now = settings.load(Settings), clock.now()
    store = OrderStore(Table(env.table_name, has_sort_key=True))
    orders = chain(store.due(now), store.overdue(now - GRACE))
    tasks = ({"userID": user_id, "orderID": order_id} for user_id, order_id in orders)
    if queued := WorkQueue(env.overdue_queue_url).fill(tasks, remaining_time(context)):
        logger.warning("queued orders that are overdue", queued=queued)
