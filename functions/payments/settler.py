"""The settler: settles the payments that the reconciler has queued, a few at a time.

A message names an order whose payment is due, or a PaymentIntent that Stripe's event log refers to. The queue is the
only record of the latter, so it is retried for a day and then goes to the dead-letter queue; a due payment that fails
is queued again by the next run of the reconciler.
"""

from dataclasses import dataclass
from typing import Any

from functions.payments import actions
from functions.payments.payment import NotRecordedYet
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import StripeGateway
from shared import settings
from shared.ids import OrderID
from shared.table import Table
from shared.telemetry import count, logger
from shared.work_queue import Task, perform


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the settler; those for Stripe are in `stripe_gateway`."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Settle the payments of a batch."""
    return perform(batch, _settle, is_retried=lambda task: "stripeID" in task)


def _settle(task: Task) -> None:
    store, stripe = PaymentStore(Table(settings.load(Settings).table_name)), StripeGateway()
    try:
        if stripe_id := task.get("stripeID"):
            acted = actions.reconcile_intent(store, stripe, stripe_id)
        else:
            acted = actions.settle_stalled(store, stripe, OrderID(task["orderID"]))
    except NotRecordedYet:
        logger.warning("a PaymentIntent of ours is not recorded yet; the next run finds it again", task=task)
        return
    if acted:
        logger.warning("repaired a payment", task=task)
        count("PaymentsRepaired")
