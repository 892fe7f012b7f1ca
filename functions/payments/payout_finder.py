"""The payout finder: queues looks at earnings that a step may be due for, and at sellers whose earnings wait.

It runs on a schedule and reads the index alone, the oldest first. A run ends before its timeout, and the next one
continues after the last look that was queued; after the newest it begins with the oldest again. Each run emits how many
looks it found, 0 too, so that an alarm on missing data detects a finder that does not run.
"""

from dataclasses import dataclass
from typing import Any

from functions.payments.earning_store import DueLook, EarningStore
from shared import clock, settings
from shared.table import Table
from shared.telemetry import logger, measure
from shared.work_queue import Task, WorkQueue, remaining_time

MAX_FOUND = 5000
"""How many looks a run queues at most: more than the workers take until the next one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the finder."""

    table_name: str
    payout_queue_url: str


def handler(_event: dict[str, Any], context: object) -> None:
    """Run once."""
    env = settings.load(Settings)
    store, queue = EarningStore(Table(env.table_name)), WorkQueue(env.payout_queue_url)
    since = store.finder_since()
    found = store.due_looks(clock.now(), since=since, limit=MAX_FOUND)
    measure("PayoutLooks", len(found))
    queued = queue.fill(map(_to_task, found), remaining_time(context))
    is_complete = queued == len(found) < MAX_FOUND
    reached = since if queued == 0 else found[queued - 1].at
    after = None if is_complete else reached
    if after != since:
        store.save_finder(after)
    logger.info("looks queued", found=len(found), queued=queued)


def _to_task(look: DueLook) -> Task:
    return {"orderID": look.order_id} if look.order_id else {"sellerID": look.seller_id or ""}
