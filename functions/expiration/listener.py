"""Consume the events of Orders: set a timer for each new order, and delete it once the order no longer expires."""

from dataclasses import dataclass
from typing import Any

from functions.expiration import actions
from shared import settings
from shared.events import OrderAwaitingPayment, OrderCreated
from shared.listener import listen
from shared.telemetry import Trace, current_trace


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the Expiration listener."""

    event_bus_name: str
    schedule_group: str
    expire_function_arn: str
    scheduler_role_arn: str
    schedule_dlq_arn: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point."""
    return listen({OrderCreated: _set_timer, OrderAwaitingPayment: _delete_timer}, batch)


def _set_timer(event: OrderCreated) -> None:
    env = settings.load(Settings)
    actions.set_timer(
        event.id,
        event.userID,
        event.expiresAt,
        trace=current_trace() or Trace(correlation_id=event.id, causation_id=event.id),
        scheduling=actions.Scheduling(
            group=env.schedule_group,
            function=env.expire_function_arn,
            role=env.scheduler_role_arn,
            dead_letters=env.schedule_dlq_arn,
        ),
        bus=env.event_bus_name,
    )


def _delete_timer(event: OrderAwaitingPayment) -> None:
    actions.delete_timer(event.id, group=settings.load(Settings).schedule_group)
