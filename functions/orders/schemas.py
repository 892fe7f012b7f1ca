"""Request and response bodies of the Orders API."""

from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from functions.orders.order import CancelReason, Order, OrderedTicket, OrderStatus
from shared.http import DecimalText, Input, Instant, Output
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price, parse_decimal
from shared.pagination import Page
from shared.refunds import Refund, RefundDecision, RefundReason, RefundRequest
from shared.text import parse_line

MAX_REASON_LENGTH = 500


def _parse_reason(text: str) -> str:
    return parse_line(text, max_length=MAX_REASON_LENGTH)


ReasonText = Annotated[
    str,
    AfterValidator(_parse_reason),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_REASON_LENGTH}),
]
"""One line of up to 500 characters that a user has typed for another to read."""


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

    @classmethod
    def of(cls, ticket: OrderedTicket) -> Self:
        """Build the response from an ordered ticket."""
        return cls(id=ticket.id, title=ticket.title, price=ticket.price, currency=ticket.currency)


class RefundOut(Output):
    """A refund: the total refunded to the buyer so far, the reason, and the time at which it was recorded."""

    amount: Price
    reason: RefundReason
    at: Instant

    @classmethod
    def of(cls, refund: Refund) -> Self:
        """Build the response from a refund."""
        return cls(amount=refund.amount, reason=refund.reason, at=refund.at)


class RefundRequestIn(Input):
    """The buyer's reason for asking for a refund, which the seller reads."""

    reason: ReasonText = Field(examples=["The concert was moved to another day"])


class RefundIn(Input):
    """The seller's reason for a refund, which the buyer reads. Optional."""

    reason: ReasonText | None = Field(None, examples=["The concert is cancelled"])


class RefundRequestOut(Output):
    """The buyer's request for a refund: the reason as it was typed, and the time."""

    reason: str
    at: Instant

    @classmethod
    def of(cls, request: RefundRequest) -> Self:
        """Build the response from a request."""
        return cls(reason=request.reason, at=request.at)


class RefundDecisionOut(Output):
    """The seller's decision to refund the order: the time, and the reason as it was typed if one was given."""

    at: Instant
    reason: str | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, decision: RefundDecision) -> Self:
        """Build the response from a decision."""
        return cls(at=decision.at, reason=decision.reason)


class SaleOut(Output):
    """The seller's view of an order that is refunded. `status` is `refunding` until all the money has gone back."""

    id: OrderID
    status: OrderStatus
    ticket: TicketOut
    refundDecision: RefundDecisionOut | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, order: Order) -> Self:
        """Build the response from an order."""
        decision = RefundDecisionOut.of(order.refund_decision) if order.refund_decision else None
        return cls(id=order.id, status=order.status, ticket=TicketOut.of(order.ticket), refundDecision=decision)


class OrderOut(Output):
    """An order. Compare `expiresAt` with the `Date` header of the response, not with the device's clock.

    `reason` is present if the order is cancelled. `refund` is present after a refund: a full refund changes the status
    to `refunded`, a partial one leaves it as it is. `refundRequest` is present once the buyer has asked for a refund,
    `refundDecision` once the seller has decided to refund: the status is `refunding` until the money has gone back.
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
    refundRequest: RefundRequestOut | None = Field(None, exclude_if=_is_absent)
    refundDecision: RefundDecisionOut | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, order: Order) -> Self:
        """Build the response from an order."""
        request, decision = order.refund_request, order.refund_decision
        return cls(
            id=order.id,
            userID=order.user_id,
            status=order.status,
            expiresAt=order.expires_at,
            ticket=TicketOut.of(order.ticket),
            version=order.version,
            createdAt=order.created_at,
            reason=order.reason,
            refund=RefundOut.of(order.refund) if order.refund else None,
            refundRequest=RefundRequestOut.of(request) if request else None,
            refundDecision=RefundDecisionOut.of(decision) if decision else None,
        )


class OrderList(Output):
    """One page of orders."""

    orders: list[OrderOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Order]) -> Self:
        """Build the response from a page of orders."""
        return cls(orders=[OrderOut.of(order) for order in page.entries], nextCursor=page.next_cursor)
