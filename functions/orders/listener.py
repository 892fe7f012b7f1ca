"""The listener of Orders: consumes the events of Tickets, Expiration and Payments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.orders import actions
from functions.orders.order import Order, OrderNotFound, RequestedChange
from functions.orders.store import OrderStore
from shared import clock, settings
from shared.events import (
    ExpirationCompleted,
    PaymentAuthorized,
    PaymentCreated,
    PaymentEvent,
    PaymentFailed,
    PaymentPartlyRefunded,
    PaymentRefunded,
    TicketChangeRequested,
    TicketCreated,
    TicketUpdated,
)
from shared.ids import OrderID
from shared.listener import listen
from shared.table import Table
from shared.telemetry import logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the Orders listener."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of messages from the queue."""
    return listen(
        {
            TicketCreated: _keep_ticket,
            TicketUpdated: _keep_ticket,
            TicketChangeRequested: _decide_change,
            ExpirationCompleted: _expire,
            PaymentAuthorized: lambda event: _move(event, Order.payment_authorized),
            PaymentCreated: lambda event: _move(event, Order.payment_created),
            PaymentFailed: lambda event: _move(event, Order.payment_failed),
            PaymentPartlyRefunded: _refund,
            PaymentRefunded: _refund,
        },
        batch,
    )


def _keep_ticket(event: TicketCreated | TicketUpdated) -> None:
    _store().keep_ticket(event)


def _decide_change(event: TicketChangeRequested) -> None:
    actions.decide_change(
        _store(),
        RequestedChange(
            id=event.changeID,
            ticket_id=event.id,
            seller_id=event.userID,
            version=event.version,
            title=event.title,
            price=event.price,
            currency=event.currency,
            withdrawn=event.withdrawn,
            relisted=bool(event.relisted),
        ),
    )


def _expire(event: ExpirationCompleted) -> None:
    _unless_unknown(event.orderId, lambda: actions.expire_order(_store(), user_id=event.userID, order_id=event.orderId))


def _refund(event: PaymentPartlyRefunded | PaymentRefunded) -> None:
    def rule(order: Order) -> Order | None:
        return order.payment_refunded(
            event.amountRefunded,
            in_full=isinstance(event, PaymentRefunded),
            reason="dispute_lost" if event.reason == "dispute_lost" else "refunded_at_stripe",
            now=clock.now(),
        )

    _move(event, rule)


def _move(event: PaymentEvent, rule: Callable[[Order], Order | None]) -> None:
    _unless_unknown(event.orderId, lambda: actions.change_order(_store(), event.userID, event.orderId, rule))


def _unless_unknown(order_id: OrderID, act: Callable[[], bool]) -> None:
    """Run `act`, ignoring unknown orders. Orders creates every order, so a missing one was deleted on purpose."""
    try:
        act()
    except OrderNotFound:
        logger.warning("event for an order that does not exist", order_id=order_id)


def _store() -> OrderStore:
    return OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
