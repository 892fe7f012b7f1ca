"""An order and the ticket that it holds: statuses, transitions and who may hold, as pure rules.

       ┌──────────────── money captured by hand at Stripe ────────────────┐
       │                                                                  ▼
    created ── payment authorised ──► awaiting:payment ── money captured ──► completed ── all money back ──► refunded
       │ cancelled by its buyer,              │ capture failed
       │ or past its deadline                 ▼
       └────────────────────────────────► cancelled

A refund of a part leaves the order completed. A refunded order keeps its ticket: it does not go back on sale by itself.

What is written here decides; Payments and Tickets follow what it tells.

    OrderError
    ├── TicketNotFound, OrderNotFound
    ├── OwnTicket
    ├── TicketHeld, TicketSold, TicketWithdrawn, PriceChanged
    ├── HeldByBuyer          the buyer's own live order holds the ticket already
    └── OrderPaid            too late to cancel
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from shared.ids import OrderID, TicketID, UserID
from shared.money import CURRENCIES, MinorUnits, Price, format_amount
from shared.refunds import Refund, RefundReason

type CancelReason = Literal["cancelled_by_buyer", "expired", "payment_failed"]
type DeclineReason = Literal["held", "sold"]


class OrderError(Exception):
    """The order cannot be made or changed like this."""


class TicketNotFound(OrderError):
    """There is no such ticket; `young` if it may only not have reached Orders yet."""

    def __init__(self, *, young: bool = False) -> None:
        super().__init__("there is no such ticket")
        self.young = young


class OrderNotFound(OrderError):
    """The caller has no such order."""

    def __init__(self) -> None:
        super().__init__("you have no such order")


class OwnTicket(OrderError):
    """A seller cannot order what they sell."""


class TicketHeld(OrderError):
    """Another order holds the ticket."""


class TicketSold(OrderError):
    """The ticket is sold."""


class TicketWithdrawn(OrderError):
    """The seller has withdrawn the ticket."""


class PriceChanged(OrderError):
    """The price is no longer the one that the buyer was shown."""


class HeldByBuyer(OrderError):
    """The buyer's own live order holds the ticket already."""

    def __init__(self, order_id: OrderID) -> None:
        super().__init__("you hold this ticket already")
        self.order_id = order_id


class OrderPaid(OrderError):
    """The order is paid or being paid, so it cannot be cancelled any more."""


class Status(StrEnum):
    """Where an order stands; the words are the contract's."""

    CREATED = "created"
    AWAITING_PAYMENT = "awaiting:payment"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An order's claim on a ticket. Without a deadline it lasts until the payment's outcome is known."""

    order_id: OrderID
    user_id: UserID
    expires_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether the ticket is still kept from others: the deadline is compared, no timer is trusted."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedChange:
    """What its seller wants the ticket to become; `version` is the ticket's with which it was requested."""

    id: str
    ticket_id: TicketID
    seller_id: UserID
    version: int
    title: str
    price: Price
    currency: str
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided last about a requested change of the ticket; `reason` says why it was declined.

    `number` counts the decisions that were published, `version` is the one with which the change was requested.
    """

    change_id: str
    number: int
    version: int
    reason: DeclineReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Orders' own copy of a ticket, and the one place that says who holds it.

    `hold_number` counts the changes of the hold over all its orders; every event of an order carries it. `version` is
    that of its seller's last word that is kept here.
    """

    id: TicketID
    seller_id: UserID
    title: str
    price: Price
    currency: str
    withdrawn: bool = False
    sold: bool = False
    hold: Hold | None = None
    hold_number: int = 0
    version: int = 0
    decision: Decision | None = None

    @classmethod
    def first_heard_of(cls, change: RequestedChange) -> "Ticket":
        """The copy of a ticket whose creation has not arrived: no order can have it."""
        return cls(
            id=change.ticket_id,
            seller_id=change.seller_id,
            title=change.title,
            price=change.price,
            currency=change.currency,
        )

    def decide(self, change: RequestedChange, *, now: datetime) -> "Ticket | None":
        """The copy with the decision about its seller's change; None for old news.

        Declined while an order has the ticket. Accepted otherwise: the copy is then as changed, and a hold that has
        lapsed is freed. A change that was decided last has the same decision again.
        """
        last = self.decision
        number = last.number + 1 if last else 1
        if last and last.change_id == change.id:
            return replace(self, decision=replace(last, number=number))
        if change.version <= max(self.version, last.version if last else 0):
            return None
        reason = self._claimed(now)
        decided = replace(
            self, decision=Decision(change_id=change.id, number=number, version=change.version, reason=reason)
        )
        if reason:
            return decided
        return replace(
            decided,
            title=change.title,
            price=change.price,
            currency=change.currency,
            withdrawn=change.withdrawn,
            version=change.version,
            hold=None,
            hold_number=self.hold_number + (1 if self.hold else 0),
        )

    def _claimed(self, now: datetime) -> DeclineReason | None:
        """How an order has the ticket now."""
        if self.sold:
            return "sold"
        return "held" if self.hold and self.hold.is_live(now) else None

    def check_can_be_held(self, *, buyer: UserID, shown_price: Decimal | None, now: datetime) -> None:
        """Raise the reason for which this buyer cannot hold the ticket now, if there is one."""
        if self.seller_id == buyer:
            raise OwnTicket("you cannot order your own ticket")
        if self.sold:
            raise TicketSold("the ticket is sold")
        if self.hold and self.hold.is_live(now):
            if self.hold.user_id == buyer:
                raise HeldByBuyer(self.hold.order_id)
            raise TicketHeld("somebody else holds the ticket")
        if self.withdrawn:
            raise TicketWithdrawn("the ticket is no longer on sale")
        if shown_price is not None and shown_price != Decimal(self.price):
            raise PriceChanged(f"the price is {self.price} now")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedTicket:
    """The ticket as it was ordered, and the number of the hold's last change that this order made."""

    id: TicketID
    title: str
    price: Price
    currency: str
    hold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. Each transition gives the next state and raises the version and the hold's number by one."""

    id: OrderID
    user_id: UserID
    status: Status
    expires_at: datetime
    ticket: OrderedTicket
    version: int
    created_at: datetime
    reason: CancelReason | None = None
    refund: Refund | None = None

    @classmethod
    def place(cls, ticket: Ticket, *, order_id: OrderID, buyer: UserID, now: datetime, window: timedelta) -> "Order":
        """A new order for a ticket that is free, or whose hold has lapsed and is thereby taken over.

        A takeover changes the hold twice: first the lapsed order is cancelled, then this one created.
        """
        return cls(
            id=order_id,
            user_id=buyer,
            status=Status.CREATED,
            expires_at=now + window,
            ticket=OrderedTicket(
                id=ticket.id,
                title=ticket.title,
                price=ticket.price,
                currency=ticket.currency,
                hold=ticket.hold_number + (2 if ticket.hold else 1),
            ),
            version=1,
            created_at=now,
        )

    def is_live(self, now: datetime) -> bool:
        """Whether the order still has a claim on its ticket."""
        match self.status:
            case Status.CREATED:
                return now < self.expires_at
            case Status.AWAITING_PAYMENT | Status.COMPLETED | Status.REFUNDED:
                return True
            case Status.CANCELLED:
                return False

    def cancel(self) -> "Order | None":
        """By its buyer. None if it is cancelled already; raises OrderPaid."""
        if self.status is Status.CANCELLED:
            return None
        if self.status is not Status.CREATED:
            raise OrderPaid("the order is paid or being paid")
        return self._move(Status.CANCELLED, reason="cancelled_by_buyer")

    def expire(self) -> "Order | None":
        """Because its deadline has passed; None unless it is still waiting for a payment."""
        return self._move(Status.CANCELLED, reason="expired") if self.status is Status.CREATED else None

    def payment_authorized(self) -> "Order":
        """The funds are held, so it will not expire. What no longer fits is answered with the state as it is."""
        return self._move(Status.AWAITING_PAYMENT) if self.status is Status.CREATED else self._tell_again()

    def payment_created(self) -> "Order":
        """The money is captured: sold. What no longer fits is answered with the state as it is.

        A created order completes too: somebody captured at Stripe before Orders knew of the authorisation.
        """
        is_open = self.status in (Status.CREATED, Status.AWAITING_PAYMENT)
        return self._move(Status.COMPLETED) if is_open else self._tell_again()

    def payment_failed(self) -> "Order":
        """Capture is impossible for good. What no longer fits is answered with the state as it is."""
        if self.status is not Status.AWAITING_PAYMENT:
            return self._tell_again()
        return self._move(Status.CANCELLED, reason="payment_failed")

    def payment_refunded(
        self, amount: MinorUnits | None, *, in_full: bool, reason: RefundReason, now: datetime
    ) -> "Order | None":
        """Money of a completed order went back: all of it, or a part whose total so far is `amount`.

        A refund only grows; what is not news is answered with the state as it is. None where the order is not
        completed: a cancelled order's refund changes nothing, and an open order is asked about by Payments.
        """
        if self.status not in (Status.COMPLETED, Status.REFUNDED):
            return None
        price = self.ticket.price if amount is None else format_amount(amount, CURRENCIES[self.ticket.currency])
        refund = Refund(amount=price, reason=reason, at=now)
        if self.status is Status.COMPLETED and in_full:
            return self._move(Status.REFUNDED, refund=refund)
        if self.status is Status.COMPLETED and Decimal(price) > self._amount_refunded():
            return self._move(Status.COMPLETED, refund=refund)
        return self._tell_again()

    def _amount_refunded(self) -> Decimal:
        return Decimal(self.refund.amount) if self.refund else Decimal(0)

    def _move(self, status: Status, *, reason: CancelReason | None = None, refund: Refund | None = None) -> "Order":
        return replace(
            self,
            status=status,
            reason=reason,
            refund=refund,
            version=self.version + 1,
            ticket=replace(self.ticket, hold=self.ticket.hold + 1),
        )

    def _tell_again(self) -> "Order":
        """The same state under a new version, so that who missed it learns it."""
        return replace(self, version=self.version + 1)
