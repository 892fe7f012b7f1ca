"""Pure rules of a buyer's recent holds, which keep one buyer from holding everything, or one ticket for ever.

A buyer has a limited number of unpaid holds at once. A ticket is held for one window, counted from the first order for
it: cancelling and ordering again does not extend the window. When it has passed without a payment, the buyer cannot
order the ticket for one more window, in which other buyers can.

    OrderError
    ├── TooManyHolds       the buyer has as many unpaid holds as the stage allows
    └── RecentlyLapsed     the buyer's window for this ticket has passed; other buyers come first
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from functions.orders.order import Order, OrderError, OrderStatus
from shared.ids import TicketID, UserID

REMEMBERED = 15
"""Number of tickets that are remembered besides the live holds, so that the record of ten holds stays under 1 KB."""


class _NotYet(OrderError):
    """The order is refused for now. `retry_after`: whole seconds until it may be accepted."""

    def __init__(self, message: str, wait: timedelta) -> None:
        super().__init__(message)
        self.retry_after = max(1, -(-wait // timedelta(seconds=1)))


class TooManyHolds(_NotYet):
    """The buyer has as many unpaid holds as the stage allows."""


class RecentlyLapsed(_NotYet):
    """The buyer's window for this ticket has passed; other buyers come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentHolds:
    """The tickets that a buyer has ordered recently, each with the end of its window.

    `version` counts the changes of this record, 0 if there is none. `ended` are tickets whose latest order is known to
    be cancelled: they are remembered, but not held.
    """

    user_id: UserID
    windows: Mapping[TicketID, datetime] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0
    ended: Collection[TicketID] = frozenset()

    def add(self, ticket_id: TicketID, *, limit: int, window: timedelta, now: datetime) -> "RecentHolds":
        """Return the record with a hold of the ticket, without entries that have no effect any more.

        The end of the ticket's window is the deadline of the order. Raises RecentlyLapsed, TooManyHolds.
        """
        windows = {ticket: end for ticket, end in self.windows.items() if now < end + window}
        end = windows.pop(ticket_id, None)
        if end and end <= now:
            raise RecentlyLapsed("you held this ticket and did not pay; other buyers come first", end + window - now)
        live = [other for ticket, other in windows.items() if now < other and ticket not in self.ended]
        if len(live) >= limit:
            raise TooManyHolds(f"you hold {limit} tickets; pay for one or cancel an order first", min(live) - now)
        if len(windows) >= limit + REMEMBERED:
            wait = min(windows.values()) + window - now
            raise TooManyHolds("you have ordered many tickets without paying; try again later", wait)
        return replace(self, windows=windows | {ticket_id: end or now + window}, version=self.version + 1)

    def without_ended(self, orders: Iterable[Order]) -> "RecentHolds":
        """Return the record corrected by the buyer's orders, newest first.

        Tickets that were paid for, or whose payment is in progress, are removed; those whose latest order is cancelled
        are no longer held. A ticket without an order here counts as held.
        """
        latest: dict[TicketID, OrderStatus] = {}
        for order in orders:
            latest.setdefault(order.ticket.id, order.status)
        open_ = (OrderStatus.CREATED, OrderStatus.CANCELLED)
        return replace(
            self,
            windows={
                ticket: end for ticket, end in self.windows.items() if latest.get(ticket, OrderStatus.CREATED) in open_
            },
            ended=frozenset(ticket for ticket, status in latest.items() if status is OrderStatus.CANCELLED),
        )
