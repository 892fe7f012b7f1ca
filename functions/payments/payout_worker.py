"""The payout worker: takes the looks that the finder has queued, a few at a time.

It is the only function that moves money to sellers and back. A look that fails is found again by the next run.
"""

from dataclasses import dataclass
from typing import Any

from functions.payments import payouts
from functions.payments.earning_store import EarningStore
from functions.payments.payout_gateway import PayoutGateway
from shared import settings
from shared.ids import OrderID, UserID
from shared.table import Table
from shared.work_queue import Task, WorkQueue, perform


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the worker; those for Stripe are in `payout_gateway`."""

    table_name: str
    payout_queue_url: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take the looks of a batch."""
    return perform(batch, _look)


def _look(task: Task) -> None:
    env = settings.load(Settings)
    store, stripe = EarningStore(Table(env.table_name)), PayoutGateway()
    if seller_id := task.get("sellerID"):
        payouts.look_at_seller(store, stripe, WorkQueue(env.payout_queue_url), UserID(seller_id))
    else:
        payouts.look(store, stripe, OrderID(task["orderID"]))
