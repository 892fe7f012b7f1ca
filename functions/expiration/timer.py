"""The name and time of an order's timer, as pure functions."""

from datetime import UTC, datetime, timedelta

from shared.ids import OrderID

# EventBridge Scheduler rejects times in the past, so a timer is set at least this far ahead to allow for the call.
SOONEST = timedelta(seconds=3)


def schedule_name(order_id: OrderID) -> str:
    """Return the schedule's name. One name per order makes setting the timer idempotent."""
    return f"order-{order_id}"


def has_passed(deadline: datetime, now: datetime) -> bool:
    """Whether the deadline has passed; true from the deadline itself on."""
    return now >= deadline


def schedule_expression(deadline: datetime, now: datetime) -> str:
    """Return the timer's time in the syntax of EventBridge Scheduler, in UTC.

    Rounded up to the second: a timer may be late, never early.
    """
    instant = max(deadline, now + SOONEST).astimezone(UTC)
    whole = instant.replace(microsecond=0)
    if whole < instant:
        whole += timedelta(seconds=1)
    return f"at({whole:%Y-%m-%dT%H:%M:%S})"
