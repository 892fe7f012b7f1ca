"""The target of an order's timer: publishes that the order's deadline has passed.

Raises if publishing fails. Lambda then retries twice and sends the call to the failure destination.
"""

from dataclasses import dataclass
from typing import TypedDict

from functions.expiration import actions
from shared import settings
from shared.ids import OrderID, UserID
from shared.telemetry import Trace, follow, logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the expire function."""

    event_bus_name: str


class Timer(TypedDict):
    """The payload of a timer, written by `actions.set_timer`."""

    orderId: OrderID
    userID: UserID
    correlationId: str
    causationId: str


def handler(timer: Timer, _context: object) -> None:
    """Entry point."""
    with follow(Trace(correlation_id=timer["correlationId"], causation_id=timer["causationId"])):
        actions.publish_expired(timer["orderId"], timer["userID"], bus=settings.load(Settings).event_bus_name)
        logger.info("expiration published", order_id=timer["orderId"])
