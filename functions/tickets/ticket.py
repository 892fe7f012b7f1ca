"""Pure rules of tickets: the status at an instant, the changes that a seller can make, and the effects of orders.

    withdrawn ◄── by its seller ── available ◄── freed or lapsed ── reserved ── paid ──► sold
        ▲ └── refunded, on sale again ─▲ └────────── ordered ────────────►               │
        └────────────────────────────────── all the money went back ─────────────────────┘

Orders is authoritative for the hold of a ticket. The hold in this module is a replica that determines the displayed
status, not whether the ticket can be ordered. It follows the events of Orders by their hold version, so duplicate and
late events have no effect.

Orders also decides about a seller's change, since only Orders knows at any instant whether an order holds the ticket.
An edit or withdrawal is therefore requested first, stored as `pending`, and applied or dropped on the decision.

    TicketError
    ├── TicketNotFound
    ├── NotYours
    ├── TicketHeld, TicketSold      the ticket can no longer be edited or withdrawn
    ├── NotRefunded                 only a ticket whose sale was refunded can be put on sale again
    ├── EditOutdated                the edit is based on a version of the ticket that is out of date
    └── ChangePending               another change of the ticket is pending
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self

from shared.ids import OrderID, TicketID, UserID
from shared.money import Price
from shared.refunds import Refund, RefundRequest
from shared.text import parse_line

MAX_TITLE_LENGTH = 200

KEPT_DECISIONS = 8
"""Number of decided changes that a ticket stores, so that a repeated request returns the outcome of the first."""

REPUBLISH_AFTER = timedelta(seconds=5)
"""Age at which a pending request or its decision may be lost: a retry publishes the request again."""

type Change = Literal[
    "edited",
    "withdrawn",
    "relisted",
    "reserved",
    "freed",
    "sold",
    "refund-requested",
    "refunding",
    "refunded",
    "declined",
]
type DeclineReason = Literal["held", "sold"]


class TicketError(Exception):
    """Base of the errors of this module: the ticket cannot be read or changed as requested."""


class TicketNotFound(TicketError):
    """The ticket does not exist."""

    def __init__(self) -> None:
        super().__init__("there is no such ticket")


class NotYours(TicketError):
    """Only the seller can change a ticket."""

    def __init__(self) -> None:
        super().__init__("this is not your ticket")


class TicketHeld(TicketError):
    """An order holds the ticket."""


class TicketSold(TicketError):
    """The ticket is sold."""


class NotRefunded(TicketError):
    """Only a ticket whose sale was refunded can be put on sale again."""

    def __init__(self) -> None:
        super().__init__("only a ticket whose sale was refunded can be put on sale again")


class EditOutdated(TicketError):
    """The ticket's content has changed since the version on which the edit is based."""


class ChangePending(TicketError):
    """Another change of the ticket is pending."""

    def __init__(self) -> None:
        super().__init__("an earlier change of the ticket is not decided yet; try again in a moment")


class TicketStatus(StrEnum):
    """The status of a ticket. The values are part of the API and event contracts."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    SOLD = "sold"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An order's claim on the ticket. Without a deadline it lasts until the payment's outcome is known."""

    order_id: OrderID
    expires_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Return whether the hold is in force. Compares the deadline with `now` and does not depend on a timer."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The attributes of a ticket that its seller determines."""

    title: str
    price: Price
    currency: str
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change that the seller has requested and Orders has not decided. `content` is the requested content.

    `relisted`: it puts a refunded ticket on sale again.
    """

    id: str
    content: Content
    requested_at: datetime
    relisted: bool = False

    def is_for(self, change_id: str, content: Content) -> bool:
        """Return whether a request is a retry of this change: the same id or the same content."""
        return self.id == change_id or self.content == content


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of Orders about a change.

    `reason` is the reason for a decline, None if the change was accepted. `version` is the ticket's version with which
    the decision was stored.
    """

    change_id: str
    version: int
    reason: DeclineReason | None

    def check_accepted(self) -> None:
        """Raise TicketHeld or TicketSold if the change was declined."""
        match self.reason:
            case "held":
                raise TicketHeld("an order holds the ticket")
            case "sold":
                raise TicketSold("the ticket is sold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One ticket. Each change returns the next state, with the version raised by one, and the published `Change`.

    A change of which users see nothing keeps the version and publishes nothing (see `reserve`).

    `refunding`: the refund of the sale is decided, and the money has not gone back yet. `refund` and `refund_request`
    are those of the sale, `refund` also after the ticket was withdrawn for it.

    `hold_version` is that of the latest order event applied. `edited_version` is the version at which the current
    content took effect. `decisions` are the latest KEPT_DECISIONS ones, oldest first.
    """

    id: TicketID
    seller_id: UserID
    title: str
    price: Price
    currency: str
    version: int
    created_at: datetime
    hold: Hold | None = None
    hold_version: int = 0
    sold_at: datetime | None = None
    refund: Refund | None = None
    refunding: bool = False
    refund_request: RefundRequest | None = None
    withdrawn_at: datetime | None = None
    edited_version: int = 1
    pending: PendingChange | None = None
    decisions: tuple[Decision, ...] = ()
    last_event: dict[str, Any] | None = None

    @property
    def content(self) -> Content:
        """The content in force."""
        return Content(
            title=self.title, price=self.price, currency=self.currency, withdrawn=self.withdrawn_at is not None
        )

    def status(self, now: datetime) -> TicketStatus:
        """Return the status at `now`. `sold` and `reserved` take precedence over `withdrawn`."""
        if self.sold_at is not None:
            return TicketStatus.SOLD
        if self.hold and self.hold.is_live(now):
            return TicketStatus.RESERVED
        return TicketStatus.AVAILABLE if self.withdrawn_at is None else TicketStatus.WITHDRAWN

    @property
    def is_over(self) -> bool:
        """Whether the ticket is sold or withdrawn, which it stays unless its seller relists it after a refund.

        Orders accepts a withdrawal of no held ticket.
        """
        is_relisted = self.pending is not None and self.pending.relisted
        return (self.sold_at is not None or self.withdrawn_at is not None) and not is_relisted

    def order_id(self, now: datetime) -> OrderID | None:
        """Return the order that holds or has bought the ticket at `now`, or None."""
        return (
            self.hold.order_id if self.hold and self.status(now) in (TicketStatus.RESERVED, TicketStatus.SOLD) else None
        )

    def edited(self, *, title: str, price: Price, currency: str) -> Content:
        """Return the content with another title and price; a withdrawn ticket stays withdrawn."""
        return replace(self.content, title=title, price=price, currency=currency)

    def withdrawn(self) -> Content:
        """Return the content of the ticket after withdrawal."""
        return replace(self.content, withdrawn=True)

    def relisted(self) -> Content:
        """Return the content of the ticket on sale again. Raises NotRefunded unless a refund has withdrawn it."""
        if self.withdrawn_at is None or self.refund is None:
            raise NotRefunded
        return replace(self.content, withdrawn=False)

    def check_seller(self, user_id: UserID) -> None:
        """Raise NotYours unless the user sells the ticket."""
        if user_id != self.seller_id:
            raise NotYours

    def decision(self, change_id: str) -> Decision | None:
        """Return the decision about a change, or None if it is not among the stored ones."""
        return next((decision for decision in self.decisions if decision.change_id == change_id), None)

    def is_withdrawn_as(self, content: Content) -> bool:
        """Return whether the ticket is withdrawn with this content already, so that no decision is needed."""
        return self.withdrawn_at is not None and self.sold_at is None and content == self.content

    def request(self, change_id: str, content: Content, *, based_on: int | None, now: datetime) -> "Ticket | None":
        """Return the ticket with the change pending, or None while another change is pending.

        `based_on` is the version that the seller has seen; None skips the check. An edit is outdated if the content has
        changed since that version (reservations do not count) or the ticket never had that version, unless the
        requested content is already in force. Raises TicketHeld, TicketSold, EditOutdated.
        """
        self._check_not_ordered(now)
        is_current = based_on is None or self.edited_version <= based_on <= self.version
        if not is_current and content != self.content:
            raise EditOutdated("the ticket has been changed in the meantime; reload it")
        if self.pending:
            return None
        is_relisted = self.withdrawn_at is not None and not content.withdrawn
        pending = PendingChange(id=change_id, content=content, requested_at=now, relisted=is_relisted)
        return self._next(pending=pending)

    def request_again(self, *, now: datetime) -> "Ticket | None":
        """Return the ticket with the pending change requested again.

        Returns None if no change is pending or the request is younger than REPUBLISH_AFTER.
        """
        if self.pending is None or now - self.pending.requested_at < REPUBLISH_AFTER:
            return None
        return self._next(pending=replace(self.pending, requested_at=now))

    def apply(self, change_id: str, *, now: datetime) -> "tuple[Ticket, Change] | None":
        """Apply the pending change that Orders has accepted, regardless of the hold.

        Returns None if the change is not pending.
        """
        if self.pending is None or self.pending.id != change_id:
            return None
        content = self.pending.content
        after = self._decided(change_id, None)
        after = replace(
            after,
            title=content.title,
            price=content.price,
            currency=content.currency,
            edited_version=after.version,
        )
        if self.pending.relisted:
            return replace(after, withdrawn_at=None, refund=None), "relisted"
        if content.withdrawn and self.withdrawn_at is None:
            return replace(after, withdrawn_at=now), "withdrawn"
        return after, "edited"

    def decline(self, change_id: str, reason: DeclineReason) -> "tuple[Ticket, Change] | None":
        """Drop the pending change that Orders has declined. Returns None if it is not pending."""
        if self.pending is None or self.pending.id != change_id:
            return None
        return self._decided(change_id, reason), "declined"

    def reserve(self, hold: Hold, *, hold_version: int, now: datetime) -> "tuple[Ticket, Change | None] | None":
        """Set the hold of an order, or remove its deadline.

        `hold_version` is that of the event. Returns None for a stale event. There is no `Change`, and the version stays
        the same, if the ticket is reserved for this order already: then only the end of the reservation changes.
        """
        if not self._is_newer(hold_version):
            return None
        if self.order_id(now) == hold.order_id:
            return replace(self, hold=hold, hold_version=hold_version), None
        return self._next(hold=hold, hold_version=hold_version), "reserved"

    def sell(
        self,
        order_id: OrderID,
        *,
        hold_version: int,
        now: datetime,
        refund: Refund | None = None,
        request: RefundRequest | None = None,
        refunding: bool = False,
    ) -> "tuple[Ticket, Change] | None":
        """Mark the ticket as sold to this order, and record what the event shows of a refund.

        `refund` is what went back so far, `request` the buyer's, `refunding` whether a refund is decided.
        `hold_version` is that of the event. Returns None for a stale event.
        """
        if not self._is_newer(hold_version):
            return None
        after = self._next(
            hold=Hold(order_id=order_id, expires_at=None),
            hold_version=hold_version,
            sold_at=self.sold_at or now,
            refund=refund,
            refund_request=request,
            refunding=refunding,
        )
        return after, self._change_of_sale(after)

    def _change_of_sale(self, after: "Ticket") -> Change:
        if after.refund != self.refund:
            return "refunded"
        if after.refunding and not self.refunding:
            return "refunding"
        return "refund-requested" if after.refund_request and self.sold_at else "sold"

    def take_back(self, refund: Refund, *, hold_version: int, now: datetime) -> "tuple[Ticket, Change] | None":
        """Withdraw the ticket, whose sale was refunded in full. Its seller can put it on sale again.

        `hold_version` is that of the event. Returns None for a stale event. An order that is newer than a pending
        relisting shows that it was accepted, so its decision, when it arrives, has no effect.
        """
        if not self._is_newer(hold_version):
            return None
        after = self._next(
            hold=None,
            hold_version=hold_version,
            sold_at=None,
            refund=refund,
            refund_request=None,
            refunding=False,
            withdrawn_at=now,
        )
        if self.pending and self.pending.relisted:
            decision = Decision(change_id=self.pending.id, version=after.version, reason=None)
            after = replace(after, pending=None, decisions=(*self.decisions, decision)[-KEPT_DECISIONS:])
        return after, "refunded"

    def free(self, *, hold_version: int) -> "tuple[Ticket, Change] | None":
        """Release the hold of an order that ended without a sale.

        `hold_version` is that of the event. Returns None for a stale event. The hold version is stored even if there
        was no hold, so that an `order:created` that arrives after the order's cancellation is stale.
        """
        return (self._next(hold=None, hold_version=hold_version), "freed") if self._is_newer(hold_version) else None

    def _is_newer(self, hold_version: int) -> bool:
        """Return whether a hold version is newer than that of the latest event applied."""
        return hold_version > self.hold_version

    def _decided(self, change_id: str, reason: DeclineReason | None) -> Self:
        decision = Decision(change_id=change_id, version=self.version + 1, reason=reason)
        return self._next(pending=None, decisions=(*self.decisions, decision)[-KEPT_DECISIONS:])

    def _check_not_ordered(self, now: datetime) -> None:
        match self.status(now):
            case TicketStatus.SOLD:
                raise TicketSold("the ticket is sold")
            case TicketStatus.RESERVED:
                raise TicketHeld("an order holds the ticket")
            case _:
                return

    def _next(self, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, **changes)


def parse_title(text: str) -> str:
    """Return the title without surrounding whitespace. Raises BadText if it is no line of 1 to 200 characters."""
    return parse_line(text, max_length=MAX_TITLE_LENGTH)
