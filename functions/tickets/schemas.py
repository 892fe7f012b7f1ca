"""Bodies of the Tickets API."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from functions.tickets.settings import stage_currency
from functions.tickets.ticket import LONGEST_TITLE, Content, Status, Ticket, parse_title
from shared.http import Input, Instant, Output
from shared.ids import OrderID, TicketID, UserID
from shared.money import HIGHEST_PRICE, PLAIN_DECIMAL, Price, parse_price
from shared.pages import Page
from shared.refunds import Refund, RefundReason


class TicketIn(Input):
    """What a seller says of a ticket."""

    title: Annotated[str, AfterValidator(parse_title)] = Field(
        description=f"Trimmed; 1 to {LONGEST_TITLE} characters, without control characters.",
        examples=["Row 1, seat 2"],
        json_schema_extra={"minLength": 1, "maxLength": LONGEST_TITLE},
    )
    price: Annotated[str, AfterValidator(lambda text: parse_price(text, stage_currency()))] = Field(
        description=f"A plain decimal up to {HIGHEST_PRICE}, with at most the currency's decimals.",
        examples=["12.50"],
        json_schema_extra={"pattern": f"^{PLAIN_DECIMAL.pattern}$"},
    )


class TicketEdit(TicketIn):
    """What a seller wants to say of a ticket that is on sale."""

    version: int | None = Field(
        None,
        ge=1,
        description="The ticket's version on which the edit is based. If its title, its price or its withdrawal was"
        " changed after that version, the edit is refused (409 `ticket_changed`); reservations do not count.",
        examples=[3],
    )


class PendingChangeOut(Output):
    """What the ticket will be if the requested change is accepted: no buyer may hold or have bought it."""

    title: str
    price: Price
    withdrawn: bool

    @classmethod
    def of(cls, content: Content) -> Self:
        """The content that was requested."""
        return cls(title=content.title, price=content.price, withdrawn=content.withdrawn)


class TicketOut(Output):
    """A ticket as anyone sees it."""

    id: TicketID
    title: str
    price: Price
    currency: str
    userID: UserID
    status: Status
    version: int
    createdAt: Instant

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        """The ticket as it stands at this instant."""
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
    """Money that went back to the buyer: the total so far, why, and when it was recorded."""

    amount: Price
    reason: RefundReason
    at: Instant

    @classmethod
    def of(cls, refund: Refund) -> Self:
        """The refund as buyer and seller see it."""
        return cls(amount=refund.amount, reason=refund.reason, at=refund.at)


class OwnTicketOut(TicketOut):
    """A ticket as its seller sees it: with the order that holds or has bought it, if there is one.

    `refund` is there once money of a sold ticket went back to its buyer. The ticket stays `sold`. `pendingChange` is
    there while a change that the seller has requested is not decided yet.
    """

    orderID: OrderID | None = Field(None, exclude_if=lambda order_id: order_id is None)
    refund: RefundOut | None = Field(None, exclude_if=lambda refund: refund is None)
    pendingChange: PendingChangeOut | None = Field(None, exclude_if=lambda change: change is None)

    @classmethod
    def of(cls, ticket: Ticket, now: datetime) -> Self:
        """The ticket as it stands at this instant."""
        refund = RefundOut.of(ticket.refund) if ticket.refund else None
        pending = PendingChangeOut.of(ticket.pending.content) if ticket.pending else None
        own = {"orderID": ticket.order_id(now), "refund": refund, "pendingChange": pending}
        return super().of(ticket, now).model_copy(update=own)


class TicketList(Output):
    """One page of the tickets on sale."""

    tickets: list[TicketOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Ticket], now: datetime) -> Self:
        """The page as anyone sees it."""
        return cls(tickets=[TicketOut.of(ticket, now) for ticket in page.entries], nextCursor=page.next_cursor)


class OwnTicketList(Output):
    """One page of what the caller sells."""

    tickets: list[OwnTicketOut]
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Ticket], now: datetime) -> Self:
        """The page as the seller sees it."""
        return cls(tickets=[OwnTicketOut.of(ticket, now) for ticket in page.entries], nextCursor=page.next_cursor)
