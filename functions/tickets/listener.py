"""The listener of Tickets: consumes the events of Orders.

An order event reserves, frees or sells a ticket. A decision applies or drops the seller's pending change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.tickets import actions
from functions.tickets.store import TicketStore
from functions.tickets.ticket import Change, Hold, Ticket, TicketNotFound
from shared import clock, settings
from shared.events import (
    OrderAwaitingPayment,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderEvent,
    OrderRefunded,
    OrderRefundRequested,
    TicketChangeAccepted,
    TicketChangeDeclined,
)
from shared.ids import TicketID
from shared.listener import listen
from shared.refunds import Refund, RefundRequest
from shared.table import Table
from shared.telemetry import logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the Tickets listener."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of messages from the queue."""
    return listen(
        {
            OrderCreated: _reserve,
            OrderAwaitingPayment: _keep_reserved,
            OrderCompleted: _sell,
            OrderRefundRequested: _sell,
            OrderRefunded: _return,
            OrderCancelled: _free,
            TicketChangeAccepted: _apply,
            TicketChangeDeclined: _decline,
        },
        batch,
    )


def _reserve(event: OrderCreated) -> None:
    hold = Hold(order_id=event.id, expires_at=event.expiresAt)
    _follow(event, lambda ticket: ticket.reserve(hold, hold_version=event.ticket.hold, now=clock.now()))


def _keep_reserved(event: OrderAwaitingPayment) -> None:
    hold = Hold(order_id=event.id, expires_at=None)
    _follow(event, lambda ticket: ticket.reserve(hold, hold_version=event.ticket.hold, now=clock.now()))


def _sell(event: OrderCompleted | OrderRefundRequested) -> None:
    refund = Refund(**event.refund.model_dump()) if event.refund else None
    request = RefundRequest(**event.refundRequest.model_dump()) if event.refundRequest else None
    is_refunding = isinstance(event, OrderRefundRequested)

    def rule(ticket: Ticket) -> tuple[Ticket, Change] | None:
        return ticket.sell(
            event.id,
            hold_version=event.ticket.hold,
            now=clock.now(),
            refund=refund,
            request=request,
            refunding=is_refunding,
        )

    _follow(event, rule)


def _return(event: OrderRefunded) -> None:
    refund = Refund(**event.refund.model_dump())
    _follow(event, lambda ticket: ticket.take_back(refund, hold_version=event.ticket.hold, now=clock.now()))


def _free(event: OrderCancelled) -> None:
    _follow(event, lambda ticket: ticket.free(hold_version=event.ticket.hold))


def _apply(event: TicketChangeAccepted) -> None:
    _change(event.id, lambda ticket: ticket.apply(event.changeID, now=clock.now()))


def _decline(event: TicketChangeDeclined) -> None:
    _change(event.id, lambda ticket: ticket.decline(event.changeID, event.reason))


def _follow(event: OrderEvent, rule: Callable[[Ticket], tuple[Ticket, Change | None] | None]) -> None:
    _change(event.ticket.id, rule)


def _change(ticket_id: TicketID, rule: Callable[[Ticket], tuple[Ticket, Change | None] | None]) -> None:
    store = TicketStore(Table(settings.load(Settings).table_name))
    try:
        actions.change_ticket(store, ticket_id, rule)
    except TicketNotFound:
        # Tickets creates every ticket, so a missing one was deleted on purpose.
        logger.warning("event for a ticket that does not exist", ticket_id=ticket_id)
