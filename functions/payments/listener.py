"""Consume the events of Orders."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.payments import actions
from functions.payments.store import PaymentStore
from shared import settings
from shared.events import (
    OrderAwaitingPayment,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderEvent,
    OrderRefunded,
    OrderRefundRequested,
)
from shared.listener import listen
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the Payments listener."""

    table_name: str
    payout_hold_seconds: int


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    followed = OrderCreated, OrderAwaitingPayment, OrderCompleted, OrderRefundRequested, OrderRefunded, OrderCancelled
    return listen(dict.fromkeys(followed, _follow), batch)


def _follow(event: OrderEvent) -> None:
    env = settings.load(Settings)
    store = PaymentStore(Table(env.table_name))
    actions.follow_order(store, event, payout_hold=timedelta(seconds=env.payout_hold_seconds))
