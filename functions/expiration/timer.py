"""An order's timer: its name and its time, as pure rules."""

from datetime import UTC, datetime, timedelta

from shared.ids import OrderID

# EventBridge Scheduler refuses a time in the past, so one nearer than a call may take is set this far off.
SOONEST = timedelta(seconds=3)


def schedule_name(order_id: OrderID) -> str:
    """One name for each order, so that setting its timer again changes nothing."""
    return f"order-{order_id}"


def has_passed(deadline: datetime, now: datetime) -> bool:
    """Whether the order has lapsed; at its deadline it has."""
    return now >= deadline


def schedule_expression(deadline: datetime, now: datetime) -> str:
    """When the timer goes off, as EventBridge Scheduler reads it, in UTC.

    The time is rounded up to the second: a timer may be late, never early.
    """
    instant = max(deadline, now + SOONEST).astimezone(UTC)
    whole = instant.replace(microsecond=0)
    if whole < instant:
        whole += timedelta(seconds=1)
    return f"at({whole:%Y-%m-%dT%H:%M:%S})"
