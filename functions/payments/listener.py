"""Consume the events of Orders."""

from dataclasses import dataclass
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
)
from shared.listener import listen
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the Payments listener."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    followed = OrderCreated, OrderAwaitingPayment, OrderCompleted, OrderRefunded, OrderCancelled
    return listen(dict.fromkeys(followed, _follow), batch)


def _follow(event: OrderEvent) -> None:
    actions.follow_order(PaymentStore(Table(settings.load(Settings).table_name)), event)
