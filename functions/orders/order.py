"""Pure rules of orders: statuses, transitions, and the conditions under which a buyer can hold a ticket.

       ┌──────────────── money captured by hand at Stripe ────────────────┐
       │                                                                  ▼
    created ── payment authorised ──► awaiting:payment ── money captured ──► completed ── all money back ──► refunded
       │ cancelled by its buyer,              │ capture failed                   │                              ▲
       │ or past its deadline                 ▼                                  │ refunded by its seller       │
       └────────────────────────────────► cancelled                              └────► refunding ── all money back

A partial refund leaves the order completed. A decision to refund is never taken back. The ticket of a refunded order is
free and withdrawn: only its seller puts it on sale again.

Orders is authoritative for these rules; Payments and Tickets follow its events.

    OrderError
    ├── TicketNotFound, OrderNotFound
    ├── OwnTicket
    ├── TicketHeld, TicketSold, TicketWithdrawn, PriceChanged
    ├── HeldByBuyer          the buyer's own live order holds the ticket already
    ├── TooManyHolds, RecentlyLapsed     see `buyer`
    ├── OrderPaid            the order can no longer be cancelled
    ├── OrderNotCompleted    there is nothing to refund
    ├── OrderRefunded        all the money went back already
    └── RefundRequested      the buyer has asked for a refund already
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from shared.ids import OrderID, TicketID, UserID
from shared.money import CURRENCIES, FeeRule, MinorUnits, Price, format_amount
from shared.refunds import Refund, RefundDecision, RefundReason, RefundRequest

REPUBLISH_AFTER = timedelta(minutes=5)
"""How long a refund takes at least before its event is published again, because Payments may have missed it."""
REFUND_WITHIN = timedelta(days=1)
"""How long a refund may take before the operator is alerted."""
ANSWER_WITHIN = timedelta(days=3)
"""How long a buyer's request for a refund waits for the seller before the operator is alerted."""

type CancelReason = Literal["cancelled_by_buyer", "expired", "payment_failed"]
type DeclineReason = Literal["held", "sold"]


class OrderError(Exception):
    """Base of the errors of this module: the order cannot be placed or changed as requested."""


class TicketNotFound(OrderError):
    """The ticket does not exist. `is_recent` is True if its id is recent, so it may not have been replicated yet."""

    def __init__(self, *, is_recent: bool = False) -> None:
        super().__init__("there is no such ticket")
        self.is_recent = is_recent


class OrderNotFound(OrderError):
    """The caller has no order with this id."""

    def __init__(self) -> None:
        super().__init__("you have no such order")


class OwnTicket(OrderError):
    """Sellers cannot order their own tickets."""


class TicketHeld(OrderError):
    """Another order holds the ticket."""


class TicketSold(OrderError):
    """The ticket is sold."""


class TicketWithdrawn(OrderError):
    """The seller has withdrawn the ticket."""


class PriceChanged(OrderError):
    """The price has changed since the buyer was shown it."""


class HeldByBuyer(OrderError):
    """The buyer's own live order holds the ticket already."""

    def __init__(self, order_id: OrderID) -> None:
        super().__init__("you hold this ticket already")
        self.order_id = order_id


class OrderPaid(OrderError):
    """The order is paid or its payment is in progress, so it can no longer be cancelled."""


class OrderNotCompleted(OrderError):
    """The order is not paid, so there is nothing to refund."""

    def __init__(self) -> None:
        super().__init__("the order is not completed")


class OrderRefunded(OrderError):
    """The order's money went back already, or the refund is decided."""


class RefundRequested(OrderError):
    """The buyer has asked for a refund already."""

    def __init__(self) -> None:
        super().__init__("you have asked for a refund already")


class OrderStatus(StrEnum):
    """The status of an order. The values are part of the API and event contracts."""

    CREATED = "created"
    AWAITING_PAYMENT = "awaiting:payment"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An order's claim on a ticket. Without a deadline it lasts until the payment's outcome is known."""

    order_id: OrderID
    user_id: UserID
    expires_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Return whether the hold is in force. Compares the deadline with `now` and does not depend on a timer."""
        return self.expires_at is None or now < self.expires_at


class HoldState(StrEnum):
    """The state of an order's hold on its ticket, determined by the order's status."""

    UNTIL_DEADLINE = "until its deadline"
    UNTIL_PAID = "until the payment's outcome is known"
    SOLD = "the ticket is sold"
    RELEASED = "the ticket is free"
    RETURNED = "the ticket is free and withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedChange:
    """A change that a seller has requested. `version` is the ticket's version as of the request.

    `relisted`: the seller puts a refunded ticket on sale again.
    """

    id: str
    ticket_id: TicketID
    seller_id: UserID
    version: int
    title: str
    price: Price
    currency: str
    withdrawn: bool
    relisted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The latest decision about a requested change of a ticket.

    `reason` is the reason for a decline, None if the change was accepted. `number` is the count of published decisions
    of the ticket. `version` is the ticket's version as of the request.
    """

    change_id: str
    number: int
    version: int
    reason: DeclineReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldableTicket:
    """Orders' copy of a ticket, and the authoritative record of its hold.

    `hold_version` counts the changes of the hold over all its orders; every order event carries it. `version` is the
    ticket's version as of the latest seller's change in this copy.
    """

    id: TicketID
    seller_id: UserID
    title: str
    price: Price
    currency: str
    withdrawn: bool = False
    sold: bool = False
    hold: Hold | None = None
    hold_version: int = 0
    version: int = 0
    decision: Decision | None = None

    @classmethod
    def from_change(cls, change: RequestedChange) -> "HoldableTicket":
        """Create the copy of a ticket whose `ticket:created` has not arrived: no order can have the ticket."""
        return cls(
            id=change.ticket_id,
            seller_id=change.seller_id,
            title=change.title,
            price=change.price,
            currency=change.currency,
        )

    def held_by(self, order: "Order") -> "HoldableTicket":
        """Return the copy with the hold of a new order."""
        hold = Hold(order_id=order.id, user_id=order.user_id, expires_at=order.expires_at)
        return replace(self, hold=hold, hold_version=order.ticket.hold_version)

    def decide(self, change: RequestedChange, *, now: datetime) -> "HoldableTicket | None":
        """Return the copy with the decision about the change, or None if the request is stale.

        Declines the change while an order holds or has bought the ticket. Otherwise accepts it: the copy takes the
        new content and a lapsed hold is removed. A withdrawn ticket stays withdrawn unless the change relists it: an
        edit may be older than the refund that withdrew the ticket. For the change of the latest decision, returns the
        same decision under the next number, so that it is published again.
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
            withdrawn=change.withdrawn or (self.withdrawn and not change.relisted),
            version=change.version,
            hold=None,
            hold_version=self.hold_version + (1 if self.hold else 0),
        )

    def _claimed(self, now: datetime) -> DeclineReason | None:
        """Return `sold` or `held` (a hold that is live at `now`), or None if no order has the ticket."""
        if self.sold:
            return "sold"
        return "held" if self.hold and self.hold.is_live(now) else None

    def check_can_be_held(self, *, buyer: UserID, shown_price: Decimal | None, now: datetime) -> None:
        """Check that the buyer can hold the ticket at `now`.

        `shown_price` is the price that the buyer has seen; None skips the comparison. Raises OwnTicket, TicketSold,
        HeldByBuyer, TicketHeld, TicketWithdrawn, PriceChanged.
        """
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
    """The ticket as it was ordered. `hold_version` is that of this order's latest change of the hold.

    `fee` is the marketplace's fee on the sale, as of when the order was placed. Orders placed before there was one have
    no `seller_id` and no `fee`.
    """

    id: TicketID
    title: str
    price: Price
    currency: str
    hold_version: int
    seller_id: UserID | None = None
    fee: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. Each transition returns the next state, with the version and the hold version raised by one.

    `due_at` is when the sweep has to look at it, since a refund has not happened or nobody has answered a request.
    """

    id: OrderID
    user_id: UserID
    status: OrderStatus
    expires_at: datetime
    ticket: OrderedTicket
    version: int
    created_at: datetime
    reason: CancelReason | None = None
    refund: Refund | None = None
    refund_request: RefundRequest | None = None
    refund_decision: RefundDecision | None = None
    due_at: datetime | None = None

    @classmethod
    def place(
        cls,
        ticket: HoldableTicket,
        *,
        order_id: OrderID,
        buyer: UserID,
        fee: FeeRule,
        now: datetime,
        deadline: datetime,
    ) -> "Order":
        """Create an order for a ticket that is free, or whose hold has lapsed (a takeover).

        The order holds the ticket until `deadline`, and its fee never changes. A takeover raises the hold version by
        two: for the cancellation of the lapsed order and for the creation of this one.
        """
        return cls(
            id=order_id,
            user_id=buyer,
            status=OrderStatus.CREATED,
            expires_at=deadline,
            ticket=OrderedTicket(
                id=ticket.id,
                title=ticket.title,
                price=ticket.price,
                currency=ticket.currency,
                hold_version=ticket.hold_version + (2 if ticket.hold else 1),
                seller_id=ticket.seller_id,
                fee=fee.fee_of(ticket.price, CURRENCIES[ticket.currency]),
            ),
            version=1,
            created_at=now,
        )

    @property
    def hold_state(self) -> HoldState:
        """The state of the order's hold on its ticket."""
        match self.status:
            case OrderStatus.CREATED:
                return HoldState.UNTIL_DEADLINE
            case OrderStatus.AWAITING_PAYMENT:
                return HoldState.UNTIL_PAID
            case OrderStatus.COMPLETED | OrderStatus.REFUNDING:
                return HoldState.SOLD
            case OrderStatus.CANCELLED:
                return HoldState.RELEASED
            case OrderStatus.REFUNDED:
                return HoldState.RETURNED

    def is_live(self, now: datetime) -> bool:
        """Return whether the order has a claim on its ticket at `now`."""
        match self.status:
            case OrderStatus.CREATED:
                return now < self.expires_at
            case OrderStatus.AWAITING_PAYMENT | OrderStatus.COMPLETED | OrderStatus.REFUNDING:
                return True
            case OrderStatus.CANCELLED | OrderStatus.REFUNDED:
                return False

    def cancel(self) -> "Order | None":
        """Cancel the order on behalf of its buyer. Returns None if it is cancelled already. Raises OrderPaid."""
        if self.status is OrderStatus.CANCELLED:
            return None
        if self.status is not OrderStatus.CREATED:
            raise OrderPaid("the order is paid or being paid")
        return self._move(OrderStatus.CANCELLED, reason="cancelled_by_buyer")

    def expire(self) -> "Order | None":
        """Cancel the order after its deadline, which the caller checks. Returns None unless it is `created`."""
        return self._move(OrderStatus.CANCELLED, reason="expired") if self.status is OrderStatus.CREATED else None

    def payment_authorized(self) -> "Order":
        """Funds are authorised: the order no longer expires. Republishes the current state unless it is `created`."""
        return self._move(OrderStatus.AWAITING_PAYMENT) if self.status is OrderStatus.CREATED else self._republish()

    def payment_created(self) -> "Order":
        """Money is captured: the ticket is sold. Republishes the current state unless the order is open.

        A `created` order completes too: money can be captured by hand at Stripe before Orders has received the
        authorisation.
        """
        is_open = self.status in (OrderStatus.CREATED, OrderStatus.AWAITING_PAYMENT)
        return self._move(OrderStatus.COMPLETED) if is_open else self._republish()

    def payment_failed(self) -> "Order":
        """Capture has failed permanently. Republishes the current state unless the order is `awaiting:payment`."""
        if self.status is not OrderStatus.AWAITING_PAYMENT:
            return self._republish()
        return self._move(OrderStatus.CANCELLED, reason="payment_failed")

    def payment_refunded(
        self, amount: MinorUnits | None, *, in_full: bool, reason: RefundReason, now: datetime
    ) -> "Order | None":
        """Record a full or partial refund of a completed or `refunding` order.

        `amount` is the total refunded so far in minor units; None means the order's whole price. A total that is not
        higher than the recorded one republishes the current state. The reason of a refund that was decided here is
        `refunded_by_seller`. Returns None if the order was never completed: the refund of a cancelled order changes
        nothing, and the reconciler of Payments settles an open one.
        """
        if self.status is OrderStatus.REFUNDED:
            return self._republish()
        if self.status not in (OrderStatus.COMPLETED, OrderStatus.REFUNDING):
            return None
        price = self.ticket.price if amount is None else format_amount(amount, CURRENCIES[self.ticket.currency])
        is_decided = self.status is OrderStatus.REFUNDING and reason != "dispute_lost"
        refund = Refund(amount=price, reason="refunded_by_seller" if is_decided else reason, at=now)
        if in_full:
            return replace(self._move(OrderStatus.REFUNDED, refund=refund), due_at=None)
        if Decimal(price) > self._amount_refunded():
            return self._move(self.status, refund=refund)
        return self._republish()

    def refund_by_seller(self, reason: str | None, *, now: datetime) -> "Order | None":
        """Decide to refund the order. Returns None if that is decided already. Raises OrderNotCompleted, OrderRefunded.

        A part that was refunded by hand stays recorded; Payments refunds the rest.
        """
        if self.status is OrderStatus.REFUNDING:
            return None
        self._check_can_be_refunded()
        decision = RefundDecision(at=now, reason=reason)
        refunding = self._move(OrderStatus.REFUNDING, refund=self.refund)
        return replace(refunding, refund_decision=decision, due_at=now + REPUBLISH_AFTER)

    def request_refund(self, reason: str, *, now: datetime) -> "Order":
        """Record the buyer's request for a refund. Raises OrderNotCompleted, OrderRefunded, RefundRequested."""
        if self.status is OrderStatus.REFUNDING:
            raise OrderRefunded("the order is being refunded")
        self._check_can_be_refunded()
        if self.refund_request:
            raise RefundRequested
        requested = self._move(OrderStatus.COMPLETED, refund=self.refund)
        return replace(requested, refund_request=RefundRequest(reason=reason, at=now), due_at=now + ANSWER_WITHIN)

    def is_unanswered(self, now: datetime) -> bool:
        """Whether the buyer's request for a refund has waited for too long."""
        return self.status is OrderStatus.COMPLETED and self._is_due(now)

    def is_refund_overdue(self, now: datetime) -> bool:
        """Whether the money of a decided refund should have gone back long ago."""
        if self.refund_decision is None or self.status is not OrderStatus.REFUNDING:
            return False
        return now >= self.refund_decision.at + REFUND_WITHIN

    def look_again(self, now: datetime) -> "Order | None":
        """Return the order as the sweep leaves it, or None if it is not due.

        An order that is still `refunding` is republished, for Payments may have missed its event; each time after as
        long as the refund has taken so far, up to a day. A request is looked at once.
        """
        if not self._is_due(now):
            return None
        due_at = None
        if self.refund_decision and self.status is OrderStatus.REFUNDING:
            due_at = now + min(max(now - self.refund_decision.at, REPUBLISH_AFTER), REFUND_WITHIN)
        return replace(self._republish(), due_at=due_at)

    def _is_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def _check_can_be_refunded(self) -> None:
        match self.status:
            case OrderStatus.COMPLETED:
                return
            case OrderStatus.REFUNDED:
                raise OrderRefunded("the order is refunded")
            case _:
                raise OrderNotCompleted

    def _amount_refunded(self) -> Decimal:
        return Decimal(self.refund.amount) if self.refund else Decimal(0)

    def _move(
        self, status: OrderStatus, *, reason: CancelReason | None = None, refund: Refund | None = None
    ) -> "Order":
        return replace(
            self,
            status=status,
            reason=reason,
            refund=refund,
            version=self.version + 1,
            ticket=replace(self.ticket, hold_version=self.ticket.hold_version + 1),
        )

    def _republish(self) -> "Order":
        """Return the same state under a new version, to publish its event again for consumers that missed it."""
        return replace(self, version=self.version + 1)
