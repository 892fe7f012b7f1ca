"""Request and response bodies of the Orders API."""

from decimal import Decimal
from typing import Any, Self

from pydantic import Field, model_validator

from functions.orders.order import CancelReason, Order, OrderStatus
from shared.http import DecimalText, Input, Instant, Output
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price, parse_decimal
from shared.pagination import Page
from shared.refunds import Refund, RefundReason


def _is_absent(value: Any) -> bool:
    return value is None


class PlaceOrder(Input):
    """The ticket to order, as `ticketID` or `ticketId`, and optionally the price that the buyer was shown.

    If `price` differs from the current price, the order is refused (409 `price_changed`).
    """

    ticketID: str | None = None
    ticketId: str | None = None
    price: DecimalText | None = Field(None, examples=["12.50"])

    @model_validator(mode="after")
    def _one_ticket(self) -> Self:
        if (self.ticketID is None) == (self.ticketId is None):
            raise ValueError("exactly one of ticketID and ticketId is required")
        return self

    @property
    def ticket_id(self) -> str:
        """The ticket's id, from either spelling."""
        return self.ticketID or self.ticketId or ""

    @property
    def shown_price(self) -> Decimal | None:
        """The shown price as a number, or None."""
        return None if self.price is None else parse_decimal(self.price)


class TicketOut(Output):
    """The ticket as it was ordered."""

    id: TicketID
    title: str
    price: Price
    currency: str


class RefundOut(Output):
    """A refund: the total refunded to the buyer so far, the reason, and the time at which it was recorded."""

    amount: Price
    reason: RefundReason
    at: Instant

    @classmethod
    def of(cls, refund: Refund) -> Self:
        """Build the response from a refund."""
        return cls(amount=refund.amount, reason=refund.reason, at=refund.at)


class OrderOut(Output):
    """An order. Compare `expiresAt` with the `Date` header of the response, not with the device's clock.

    `reason` is present if the order is cancelled. `refund` is present after a refund: a full refund changes the status
    to `refunded`, a partial one leaves it `completed`.
    """

    id: OrderID
    userID: UserID
    status: OrderStatus
    expiresAt: Instant
    ticket: TicketOut
    version: int
    createdAt: Instant
    reason: CancelReason | None = Field(None, exclude_if=_is_absent)
    refund: RefundOut | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, order: Order) -> Self:
        """Build the response from an order."""
        ticket = order.ticket
        return cls(
            id=order.id,
            userID=order.user_id,
            status=order.status,
            expiresAt=order.expires_at,
            ticket=TicketOut(id=ticket.id, title=ticket.title, price=ticket.price, currency=ticket.currency),
            version=order.version,
            createdAt=order.created_at,
            reason=order.reason,
            refund=RefundOut.of(order.refund) if order.refund else None,
        )


class OrderList(Output):
    """One page of orders."""

    orders: list[OrderOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Order]) -> Self:
        """Build the response from a page of orders."""
        return cls(orders=[OrderOut.of(order) for order in page.entries], nextCursor=page.next_cursor)
