"""Request and response bodies of the Tickets API."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from functions.tickets.ticket import MAX_TITLE_LENGTH, Content, Ticket, TicketStatus, parse_title
from shared.http import DecimalText, Input, Instant, Output
from shared.ids import OrderID, TicketID, UserID
from shared.money import HIGHEST_PRICE, Currency, FeeRule, Price
from shared.pagination import Page
from shared.refunds import Refund, RefundReason, RefundRequest


class TicketIn(Input):
    """Title and price of a new ticket."""

    title: Annotated[str, AfterValidator(parse_title)] = Field(
        description=f"1 to {MAX_TITLE_LENGTH} characters after trimming, without control characters, bidirectional"
        " embeddings, overrides and isolates (U+202A to U+202E, U+2066 to U+2069), U+FEFF and U+FFFD. Joiners and the"
        " marks U+200E, U+200F and U+061C are allowed.",
        examples=["Row 1, seat 2"],
        json_schema_extra={"minLength": 1, "maxLength": MAX_TITLE_LENGTH},
    )
    price: DecimalText = Field(
        description=f"Decimal number up to {HIGHEST_PRICE}, with no more decimals than the currency has.",
        examples=["12.50"],
    )


class TicketEdit(TicketIn):
    """New title and price of a ticket."""

    version: int | None = Field(
        None,
        ge=1,
        description="The version of the ticket on which the edit is based. If the title or price was changed after that"
        " version, or the ticket withdrawn, the edit is refused (409 `ticket_changed`). Reservations do not count.",
        examples=[3],
    )


class PendingChangeOut(Output):
    """The content of the ticket once the change is accepted; declined if a buyer holds or has bought the ticket."""

    title: str
    price: Price
    withdrawn: bool

    @classmethod
    def of(cls, content: Content) -> Self:
        """Build the response from the requested content."""
        return cls(title=content.title, price=content.price, withdrawn=content.withdrawn)


class TicketOut(Output):
    """The public view of a ticket."""

    id: TicketID
    title: str
    price: Price
    currency: str
    userID: UserID
    status: TicketStatus
    version: int
    createdAt: Instant

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        """Build the response from a ticket and the current time."""
        return cls(
            id=ticket.id,
            title=ticket.title,
            price=ticket.price,
            currency=ticket.currency,
            userID=ticket.seller_id,
            status=ticket.status(now),
            version=ticket.version,
            createdAt=ticket.created_at,
        )


class RefundOut(Output):
    """A refund: the total refunded to the buyer so far, the reason, and the time at which it was recorded."""

    amount: Price
    reason: RefundReason
    at: Instant

    @classmethod
    def of(cls, refund: Refund) -> Self:
        """Build the response from a refund."""
        return cls(amount=refund.amount, reason=refund.reason, at=refund.at)


class RefundRequestOut(Output):
    """The buyer's request for a refund: the reason as it was typed, and the time."""

    reason: str
    at: Instant

    @classmethod
    def of(cls, request: RefundRequest) -> Self:
        """Build the response from a request."""
        return cls(reason=request.reason, at=request.at)


class OwnTicketOut(TicketOut):
    """The seller's view of a ticket.

    `orderID` is present if an order holds or has bought the ticket. `refund` is present after a full or partial refund
    to the buyer; a full one withdraws the ticket. `refunding` is true from the decision to refund until the money has
    gone back. `refundRequest` is present while a buyer's request for a refund of the sale waits. `pendingChange` is
    present until the requested change is decided.
    """

    orderID: OrderID | None = Field(None, exclude_if=lambda order_id: order_id is None)
    refund: RefundOut | None = Field(None, exclude_if=lambda refund: refund is None)
    refunding: bool = Field(default=False, exclude_if=lambda refunding: not refunding)
    refundRequest: RefundRequestOut | None = Field(None, exclude_if=lambda request: request is None)
    pendingChange: PendingChangeOut | None = Field(None, exclude_if=lambda change: change is None)

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        """Build the response from a ticket and the current time."""
        refund = RefundOut.of(ticket.refund) if ticket.refund else None
        request = RefundRequestOut.of(ticket.refund_request) if ticket.refund_request else None
        pending = PendingChangeOut.of(ticket.pending.content) if ticket.pending else None
        own = {
            "orderID": ticket.order_id(now),
            "refund": refund,
            "refunding": ticket.refunding,
            "refundRequest": request,
            "pendingChange": pending,
        }
        return super().of(ticket, now).model_copy(update=own)


class FeeOut(Output):
    """The marketplace's fee on a sale: `percent` of the price and a `fixed` amount, in `currency`."""

    percent: str = Field(examples=["5"])
    fixed: Price = Field(examples=["0.50"])
    currency: str

    @classmethod
    def of(cls, rule: FeeRule, currency: Currency) -> Self:
        """Build the response from the fee's rule."""
        fixed = Price(f"{rule.fixed:.{currency.exponent}f}")
        return cls(percent=f"{rule.percent.normalize():f}", fixed=fixed, currency=currency.code)


class TicketList(Output):
    """One page of tickets on sale."""

    tickets: list[TicketOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Ticket], now: datetime) -> Self:
        """Build the response from a page of tickets and the current time."""
        return cls(tickets=[TicketOut.of(ticket, now) for ticket in page.entries], nextCursor=page.next_cursor)


class OwnTicketList(Output):
    """One page of the caller's tickets."""

    tickets: list[OwnTicketOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Ticket], now: datetime) -> Self:
        """Build the response from a page of tickets and the current time."""
        return cls(tickets=[OwnTicketOut.of(ticket, now) for ticket in page.entries], nextCursor=page.next_cursor)
