"""What an order's timer calls: tells that the order's deadline has passed.

It raises where that fails. Lambda then calls it twice more, and hands the call to its failure destination.
"""

from dataclasses import dataclass
from typing import TypedDict

from functions.expiration import actions
from shared import settings
from shared.ids import OrderID, UserID
from shared.telemetry import Trace, follow, logger


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the expire function."""

    event_bus_name: str


class Timer(TypedDict):
    """What `actions.set_timer` gave the timer to carry."""

    orderId: OrderID
    userID: UserID
    correlationId: str
    causationId: str


def handler(timer: Timer, _context: object) -> None:
    """Entry point."""
    with follow(Trace(correlation_id=timer["correlationId"], causation_id=timer["causationId"])):
        actions.tell_expired(timer["orderId"], timer["userID"], bus=settings.load(Settings).event_bus_name)
        logger.info("deadline told", order_id=timer["orderId"])
