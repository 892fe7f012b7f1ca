"""A ticket on sale: its status by the clock, what its seller may do, and how it follows its orders, as pure rules.

    withdrawn ◄── by its seller ── available ◄── freed or lapsed ── reserved ── paid ──► sold
                                       └────────── ordered ────────────►

Orders decides who holds a ticket. What is kept of that here follows Orders' events by the number that they carry, so a
repeated or late one changes nothing; it shows the ticket's status and sells nothing.

Orders decides on a seller's change too, since only Orders knows at each instant whether an order holds the ticket. So
an edit or withdrawal is requested first: it is kept as `pending` until Orders' decision comes, and then applied or
dropped.

    TicketError
    ├── TicketNotFound
    ├── NotYours
    ├── TicketHeld, TicketSold      too late to edit or withdraw
    ├── EditOutdated                the edit is based on a version of the ticket that is out of date
    └── ChangePending               another change of the ticket is not decided yet
"""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self

from shared.ids import OrderID, TicketID, UserID
from shared.money import Price
from shared.refunds import Refund

LONGEST_TITLE = 200

# Letters and symbols by their category that draw nothing: Hangul fillers and the Braille blank.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")

REMEMBERED_DECISIONS = 8
"""How many decided changes a ticket remembers, so that a repeated request is answered with the outcome of the first."""

REQUESTED_AGAIN_AFTER = timedelta(seconds=5)
"""A request this old may be lost, or its decision: a retry publishes it again."""

type Change = Literal["edited", "withdrawn", "reserved", "freed", "sold", "refunded", "declined"]
type DeclineReason = Literal["held", "sold"]


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


class EditOutdated(TicketError):
    """The ticket's content was changed after the version on which the edit is based."""


class ChangePending(TicketError):
    """Another change of the ticket is not decided yet."""

    def __init__(self) -> None:
        super().__init__("an earlier change of the ticket is not decided yet; try again in a moment")


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
class Content:
    """What a seller decides about a ticket."""

    title: str
    price: Price
    currency: str
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change that its seller has requested and Orders has not decided: the content that the ticket is to have."""

    id: str
    content: Content
    requested_at: datetime

    def is_for(self, change_id: str, content: Content) -> bool:
        """Whether this is the change with this id, or asks for the very same content: a retry."""
        return self.id == change_id or self.content == content


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What Orders decided about a change; `reason` says why it was declined, None that it was accepted.

    `version` is the ticket's with which the decision was kept.
    """

    change_id: str
    version: int
    reason: DeclineReason | None

    def check_accepted(self) -> None:
        """Raise TicketHeld or TicketSold where the change was declined."""
        match self.reason:
            case "held":
                raise TicketHeld("an order holds the ticket")
            case "sold":
                raise TicketSold("the ticket is sold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One ticket. Each change gives the next state, with a version one higher, and the word for it that is told.

    `hold_number` is that of the last order event that was followed; `edited_version` is the version that put the
    content in force; `decisions` are those about the latest changes, the oldest first.
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
    edited_version: int = 1
    pending: PendingChange | None = None
    decisions: tuple[Decision, ...] = ()

    @property
    def content(self) -> Content:
        """The content in force."""
        return Content(
            title=self.title, price=self.price, currency=self.currency, withdrawn=self.withdrawn_at is not None
        )

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

    def edited(self, *, title: str, price: Price, currency: str) -> Content:
        """The content with another title and price; a withdrawn ticket stays withdrawn."""
        return replace(self.content, title=title, price=price, currency=currency)

    def withdrawn(self) -> Content:
        """The content of the ticket off sale."""
        return replace(self.content, withdrawn=True)

    def check_seller(self, user_id: UserID) -> None:
        """Raise NotYours unless the user sells the ticket."""
        if user_id != self.seller_id:
            raise NotYours

    def decision(self, change_id: str) -> Decision | None:
        """What was decided about a change, if it is among the latest ones."""
        return next((decision for decision in self.decisions if decision.change_id == change_id), None)

    def is_withdrawn_as(self, content: Content) -> bool:
        """Whether the ticket is withdrawn with this content already, so that nothing is left to be decided."""
        return self.withdrawn_at is not None and self.sold_at is None and content == self.content

    def request(self, change_id: str, content: Content, *, based_on: int | None, now: datetime) -> "Ticket | None":
        """With the change pending; None while another one is. Raises TicketHeld, TicketSold, EditOutdated.

        `based_on` is the version that the seller has seen. Only content that was changed since then makes an edit
        out of date (reservations do not), and an edit to the content in force never is.
        """
        self._check_not_ordered(now)
        is_current = based_on is None or self.edited_version <= based_on <= self.version
        if not is_current and content != self.content:
            raise EditOutdated("the ticket was changed meanwhile; look again")
        if self.pending:
            return None
        return self._next(pending=PendingChange(id=change_id, content=content, requested_at=now))

    def request_again(self, *, now: datetime) -> "Ticket | None":
        """With the same change requested anew; None where none is pending for long."""
        if self.pending is None or now - self.pending.requested_at < REQUESTED_AGAIN_AFTER:
            return None
        return self._next(pending=replace(self.pending, requested_at=now))

    def apply(self, change_id: str, *, now: datetime) -> "tuple[Ticket, Change] | None":
        """With the change in force that Orders has accepted, whatever holds the ticket. None if it is not pending."""
        if self.pending is None or self.pending.id != change_id:
            return None
        content = self.pending.content
        is_withdrawal = content.withdrawn and self.withdrawn_at is None
        after = self._decided(change_id, None)
        return replace(
            after,
            title=content.title,
            price=content.price,
            currency=content.currency,
            withdrawn_at=now if is_withdrawal else self.withdrawn_at,
            edited_version=after.version,
        ), ("withdrawn" if is_withdrawal else "edited")

    def decline(self, change_id: str, reason: DeclineReason) -> "tuple[Ticket, Change] | None":
        """Without the change that Orders has declined. None if it is not pending."""
        if self.pending is None or self.pending.id != change_id:
            return None
        return self._decided(change_id, reason), "declined"

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

    def _decided(self, change_id: str, reason: DeclineReason | None) -> Self:
        decision = Decision(change_id=change_id, version=self.version + 1, reason=reason)
        return self._next(pending=None, decisions=(*self.decisions, decision)[-REMEMBERED_DECISIONS:])

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
