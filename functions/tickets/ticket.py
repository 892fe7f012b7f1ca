"""A ticket on sale: its status by the clock, what its seller may do, and how it follows its orders, as pure rules.

    withdrawn ◄── by its seller ── available ◄── freed or lapsed ── reserved ── paid ──► sold
                                       └────────── ordered ────────────►

Orders decides who holds a ticket. What is kept of that here follows Orders' events by the number that they carry, so a
repeated or late one changes nothing; it shows the ticket's status and refuses edits, and sells nothing.

    TicketError
    ├── TicketNotFound
    ├── NotYours
    └── TicketHeld, TicketSold      too late to edit or withdraw
"""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from shared.ids import OrderID, TicketID, UserID
from shared.money import Price
from shared.refunds import Refund

LONGEST_TITLE = 200

# Letters and symbols by their category that draw nothing: Hangul fillers and the Braille blank.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")

type Change = Literal["edited", "withdrawn", "reserved", "freed", "sold", "refunded"]


class TicketError(Exception):
    """The ticket cannot be read or changed like this."""


class TicketNotFound(TicketError):
    """There is no such ticket."""

    def __init__(self) -> None:
        super().__init__("there is no such ticket")


class NotYours(TicketError):
    """Only its seller may change a ticket."""

    def __init__(self) -> None:
        super().__init__("this is not your ticket")


class TicketHeld(TicketError):
    """An order holds the ticket."""


class TicketSold(TicketError):
    """The ticket is sold."""


class BadTitle(ValueError):
    """The text is no title; the message says why."""


class Status(StrEnum):
    """How a ticket stands; the words are the contract's."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    SOLD = "sold"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The order that has the ticket. Without a deadline it lasts until the payment's outcome is known."""

    order_id: OrderID
    expires_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether the ticket is still kept from others: the deadline is compared, no timer is trusted."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One ticket. Each change gives the next state, with a version one higher, and the word for it that is told.

    `hold_number` is that of the last order event that was followed.
    """

    id: TicketID
    seller_id: UserID
    title: str
    price: Price
    currency: str
    version: int
    created_at: datetime
    hold: Hold | None = None
    hold_number: int = 0
    sold_at: datetime | None = None
    refund: Refund | None = None
    withdrawn_at: datetime | None = None

    def status(self, now: datetime) -> Status:
        """How the ticket stands at this instant. An order placed just before the withdrawal may still get it."""
        if self.sold_at is not None:
            return Status.SOLD
        if self.hold and self.hold.is_live(now):
            return Status.RESERVED
        return Status.AVAILABLE if self.withdrawn_at is None else Status.WITHDRAWN

    def order_id(self, now: datetime) -> OrderID | None:
        """The order that holds or has bought the ticket."""
        return self.hold.order_id if self.hold and self.status(now) in (Status.RESERVED, Status.SOLD) else None

    def edit(
        self, *, editor: UserID, title: str, price: Price, currency: str, now: datetime
    ) -> "tuple[Ticket, Change]":
        """With another title and price; a withdrawn ticket stays so. Raises NotYours, TicketHeld, TicketSold."""
        self._check_seller(editor)
        self._check_not_ordered(now)
        return self._next(title=title, price=price, currency=currency), "edited"

    def withdraw(self, *, seller: UserID, now: datetime) -> "tuple[Ticket, Change] | None":
        """Off sale for good; None if it is already. Raises NotYours, TicketHeld, TicketSold."""
        self._check_seller(seller)
        if self.withdrawn_at is not None and self.sold_at is None:
            return None
        self._check_not_ordered(now)
        return self._next(withdrawn_at=now), "withdrawn"

    def reserve(self, hold: Hold, *, number: int) -> "tuple[Ticket, Change] | None":
        """An order has taken the ticket, or its deadline was taken off. None for news that is old."""
        return (self._next(hold=hold, hold_number=number), "reserved") if self._is_news(number) else None

    def sell(
        self, order_id: OrderID, *, number: int, now: datetime, refund: Refund | None = None
    ) -> "tuple[Ticket, Change] | None":
        """Paid for by this order; with a refund, some of the money or all of it went back. None for news that is old.

        A refunded ticket stays sold: it does not go back on sale by itself.
        """
        if not self._is_news(number):
            return None
        hold = Hold(order_id=order_id, expires_at=None)
        after = self._next(hold=hold, hold_number=number, sold_at=self.sold_at or now, refund=refund)
        return after, "refunded" if refund else "sold"

    def free(self, *, number: int) -> "tuple[Ticket, Change] | None":
        """Its order has ended without a sale. None for news that is old.

        The number is kept even where no hold was known, so that the creation of an order whose cancellation came first
        is old news.
        """
        return (self._next(hold=None, hold_number=number), "freed") if self._is_news(number) else None

    def _is_news(self, number: int) -> bool:
        """Whether an order's event with this number tells of a later change than the last one followed."""
        return number > self.hold_number

    def _check_seller(self, user_id: UserID) -> None:
        if user_id != self.seller_id:
            raise NotYours

    def _check_not_ordered(self, now: datetime) -> None:
        match self.status(now):
            case Status.SOLD:
                raise TicketSold("the ticket is sold")
            case Status.RESERVED:
                raise TicketHeld("an order holds the ticket")
            case _:
                return

    def _next(self, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, **changes)


def parse_title(text: str) -> str:
    """The title without the space around it.

    Raises BadTitle where it is longer than 200 characters, shows nothing, or holds control characters or line breaks.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise BadTitle("must not have control characters or line breaks")
    title = text.strip()
    if not any(map(_is_visible, title)):
        raise BadTitle("must not be blank")
    if len(title) > LONGEST_TITLE:
        raise BadTitle(f"must have at most {LONGEST_TITLE} characters")
    return title


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANKS
