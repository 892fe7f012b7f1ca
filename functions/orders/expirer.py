"""The expirer: expires the orders that the sweep has queued, and looks at those with a refund that is due."""

from dataclasses import dataclass
from typing import Any

from functions.orders import actions
from functions.orders.store import OrderStore
from shared import settings
from shared.ids import OrderID, UserID
from shared.table import Table
from shared.telemetry import count, logger
from shared.work_queue import Task, perform


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the expirer."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Look at the orders of a batch."""
    return perform(batch, _look_at)


def _look_at(task: Task) -> None:
    store = OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
    user_id, order_id = UserID(task["userID"]), OrderID(task["orderID"])
    if actions.expire_order(store, user_id=user_id, order_id=order_id):
        logger.warning("expired an order whose timer was lost", order_id=order_id)
        count("OrdersSwept")
    else:
        actions.look_at_due_order(store, user_id=user_id, order_id=order_id)
