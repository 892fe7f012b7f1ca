"""The rules of a payment, as pure functions: which action its order's status requires, and what Stripe's state means.

Orders decides, Payments follows: capture only once the order is `awaiting:payment`, void only once it is `cancelled`,
refund only once it is `cancelled` or `refunding`. The PaymentIntent is read from Stripe before each decision.

    open ──► authorized ──► captured ──► refunded      a partial or pending refund leaves the payment captured
      │          │
      └──────────┴──► voided, failed       failed: Orders requires a capture that can never succeed

    PaymentError
    ├── OrderNotFound, PaymentNotFound
    ├── OrderCancelled, OrderExpired, PaymentOver
    ├── TooManyDeclines, TooManyDeclinesToday
    ├── AmountRefused
    ├── BadToken
    ├── CardDeclined
    ├── StripeUnavailable
    ├── PaymentsNotConfigured
    └── NotRecordedYet
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.ids import OrderID, PaymentID, UserID
from shared.money import NOTHING, MinorUnits

NORMAL_COURSE = timedelta(minutes=2)
"""How long a step of a payment takes at most, unless an event or a webhook is lost."""
ABANDONED_AFTER = timedelta(minutes=10)  # after the deadline; by then the sweep has expired the order
RECORDED_WITHIN = timedelta(minutes=5)
"""An unrecorded PaymentIntent older than this will never be recorded: the request that creates it also records it, and
no request takes longer than 30 seconds."""


MAX_DECLINES = 5
"""Declined charges after which an order's payment ends."""
MAX_DECLINES_A_DAY = 20
"""Declined charges of one buyer in a day (UTC) after which the buyer can start no payment."""


class PaymentError(Exception):
    """Base class: the payment cannot be made or read."""


class OrderNotFound(PaymentError):
    """The caller has no such order. `is_recent`: the order may be missing only because of replication lag."""

    def __init__(self, *, is_recent: bool = False) -> None:
        super().__init__("you have no such order")
        self.is_recent = is_recent


class PaymentNotFound(PaymentError):
    """No payment was started for the order."""

    def __init__(self) -> None:
        super().__init__("no payment was started for this order")


class OrderCancelled(PaymentError):
    """The order is cancelled and cannot be paid."""


class OrderExpired(PaymentError):
    """The order's deadline has passed; it cannot be paid."""


class PaymentOver(PaymentError):
    """The order's one payment has ended without success."""


class AmountRefused(PaymentError):
    """Stripe does not charge this amount: it is below the minimum or above the maximum of the account."""


class TooManyDeclines(PaymentError):
    """Too many cards were declined for this order; its payment has ended."""

    def __init__(self) -> None:
        super().__init__("too many cards were declined for this order")


class TooManyDeclinesToday(PaymentError):
    """Too many of the buyer's cards were declined today. `retry_after`: whole seconds until the next day (UTC)."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many of your cards were declined today; try again tomorrow")
        self.retry_after = max(1, -(-wait // timedelta(seconds=1)))


class BadToken(PaymentError):
    """Stripe does not know the token or payment method."""


class CardDeclined(PaymentError):
    """The card was declined; the buyer may try another."""

    def __init__(self, message: str, *, code: str, decline_code: str | None, charge_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.decline_code = decline_code
        self.charge_id = charge_id


class StripeUnavailable(PaymentError):
    """Stripe did not respond in time; the outcome is unknown."""


class PaymentsNotConfigured(PaymentError):
    """This stage has no Stripe keys, or invalid ones."""


class NotRecordedYet(PaymentError):
    """A PaymentIntent of ours is not recorded yet, but may still be; try again."""


class PaymentStatus(StrEnum):
    """The status of a payment. The values are part of the API and event contracts."""

    OPEN = "open"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"
    REFUNDED = "refunded"


_RANK = {
    PaymentStatus.OPEN: 0,
    PaymentStatus.AUTHORIZED: 1,
    PaymentStatus.CAPTURED: 2,
    PaymentStatus.VOIDED: 2,
    PaymentStatus.FAILED: 2,
    PaymentStatus.REFUNDED: 3,
}


class OrderStatus(StrEnum):
    """The order's status in the last event received from Orders."""

    CREATED = "created"
    AWAITING_PAYMENT = "awaiting:payment"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


class IntentStatus(StrEnum):
    """A PaymentIntent's status (Stripe, "The PaymentIntent lifecycle"), reduced to the cases that we distinguish."""

    UNCONFIRMED = "unconfirmed"
    AUTHORIZED = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    """The status of a refund that has not returned the money. The values are part of the API contract."""

    PENDING = "pending"
    """Stripe has accepted the refund, and the money has not gone yet: for example, the balance is too low."""
    FAILED = "failed"
    """Stripe or the bank could not return the money, or Stripe refused the refund: an operator has to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A PaymentIntent as just read from Stripe."""

    id: str
    status: IntentStatus
    client_secret: str
    created_at: datetime
    stage: str | None
    order_id: OrderID | None
    charge_id: str | None = None
    """The charge of the last confirmation, which pays for transfers to the seller."""
    captured: MinorUnits = NOTHING
    refunded: MinorUnits = NOTHING
    """The sum of the refunds that have succeeded."""
    refund_status: RefundStatus | None = None
    lost: MinorUnits = NOTHING
    """The amount that banks returned to the buyer in lost disputes."""
    with_the_bank: bool = False
    """Disputed: the bank holds the money until it decides, and Stripe allows no refund."""
    cancellation_reason: str | None = None

    @property
    def returned(self) -> MinorUnits:
        """The part of the captured amount that went back to the buyer.

        Capped at the captured amount: a bank may also return money that was refunded already.
        """
        return MinorUnits(min(self.refunded + self.lost, self.captured))

    def is_returned(self) -> bool:
        """Whether the captured amount went back in full."""
        return self.status is IntentStatus.SUCCEEDED and self.returned == self.captured

    def holds_money(self) -> bool:
        """Whether it has an authorisation, or captured money that did not go back in full."""
        return self.status is IntentStatus.AUTHORIZED or (
            self.status is IntentStatus.SUCCEEDED and not self.is_returned()
        )

    def is_refundable(self) -> bool:
        """Whether a refund is possible now. A lost dispute ends all refunds, and a failed one would fail again."""
        return not (self.is_returned() or self.lost or self.with_the_bank or self.refund_status)

    def with_refused_refund(self) -> "Intent":
        """Return the PaymentIntent as read after Stripe has refused to refund it.

        The refund has failed, unless the state shows a reason: it was refunded or disputed meanwhile.
        """
        return replace(self, refund_status=RefundStatus.FAILED) if self.is_refundable() else self


class RequiredAction(StrEnum):
    """The action that the order's status requires at Stripe."""

    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class EventType(StrEnum):
    """The event that a write publishes."""

    AUTHORIZED = "payment:authorized"
    CREATED = "payment:created"
    FAILED = "payment:failed"
    VOIDED = "payment:voided"
    PARTLY_REFUNDED = "payment:partly-refunded"
    REFUNDED = "payment:refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayableOrder:
    """Payments' copy of an order. `refunded` is the refunded amount that Orders has recorded."""

    id: OrderID
    user_id: UserID
    status: OrderStatus
    expires_at: datetime
    amount: MinorUnits
    currency: str
    version: int
    refunded: MinorUnits = NOTHING

    def has_completed(self) -> bool:
        """Whether the order has completed, even if it was refunded since."""
        return self.status in (OrderStatus.COMPLETED, OrderStatus.REFUNDING, OrderStatus.REFUNDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """An order and, once started, its one payment.

    `version` rises with each write that publishes an event, `revision` with every write. `paid_at` is when the payment
    was first seen authorised or captured. `refunded` is the total that went back so far; it never decreases.
    `updated_at` is the time of the last write.
    """

    order: PayableOrder
    id: PaymentID | None = None
    stripe_id: str | None = None
    client_secret: str | None = None
    status: PaymentStatus | None = None
    reason: str | None = None
    refunded: MinorUnits = NOTHING
    refund_status: RefundStatus | None = None
    paid_at: datetime | None = None
    declines: frozenset[str] = frozenset()
    attempts: frozenset[str] = frozenset()
    is_stopped: bool = False
    version: int = 0
    revision: int = 0
    updated_at: datetime | None = None
    last_event: dict[str, Any] | None = None

    def check_can_be_started(self, now: datetime) -> None:
        """Check that the order can be paid now. Raises OrderCancelled, TooManyDeclines, PaymentOver, OrderExpired."""
        if self.order.status is OrderStatus.CANCELLED:
            raise OrderCancelled("the order is cancelled")
        if self.is_stopped:
            raise TooManyDeclines
        if self.status in (PaymentStatus.FAILED, PaymentStatus.VOIDED, PaymentStatus.REFUNDED):
            raise PaymentOver(f"the order's payment is {self.status}")
        if self.order.status is OrderStatus.CREATED and now >= self.order.expires_at:
            raise OrderExpired("the order has expired")

    def opened(self, payment_id: PaymentID, intent: Intent) -> "Payment":
        """Return the payment with this PaymentIntent recorded, status `open`."""
        return replace(
            self, id=payment_id, stripe_id=intent.id, client_secret=intent.client_secret, status=PaymentStatus.OPEN
        )

    def may_be_attempted(self) -> bool:
        """Whether another attempt can be declined without exceeding the limit, even if all attempts in progress are."""
        return len(self.declines) + len(self.attempts) < MAX_DECLINES

    def with_attempt(self, attempt_id: str) -> "Payment":
        """Return the payment with an attempt to confirm it, which counts until it ends."""
        return replace(self, attempts=self.attempts | {attempt_id})

    def without_attempt(self, attempt_id: str | None) -> "Payment":
        """Return the payment without an attempt that has ended."""
        return replace(self, attempts=self.attempts - {attempt_id})

    def with_decline(self, charge_id: str, *, attempt_id: str | None, declines_today: int) -> "Payment":
        """Return the payment with a declined charge in place of its attempt.

        `declines_today` is the number of the buyer's declines, with this one. At either limit the payment is stopped.
        """
        declines = self.declines | {charge_id}
        is_over = len(declines) >= MAX_DECLINES or declines_today >= MAX_DECLINES_A_DAY
        return replace(self.without_attempt(attempt_id), declines=declines, is_stopped=self.is_stopped or is_over)

    def with_order(self, order: PayableOrder) -> "Payment":
        """Return the payment with the newer copy of the order; an older one is ignored."""
        return replace(self, order=order) if order.version > self.order.version else self

    def required_action(self, intent: Intent, now: datetime) -> RequiredAction | None:
        """Return the action that the order's status requires for its PaymentIntent, or None."""
        match self.order.status, intent.status:
            case OrderStatus.AWAITING_PAYMENT, IntentStatus.AUTHORIZED:
                return RequiredAction.CAPTURE
            case OrderStatus.AWAITING_PAYMENT, IntentStatus.UNCONFIRMED:
                return RequiredAction.VOID  # the authorisation is gone; it must not be paid again
            case OrderStatus.CANCELLED, IntentStatus.UNCONFIRMED | IntentStatus.AUTHORIZED:
                return RequiredAction.VOID
            case OrderStatus.CANCELLED | OrderStatus.REFUNDING, IntentStatus.SUCCEEDED if self._may_be_refunded(intent):
                return RequiredAction.REFUND
            case OrderStatus.CREATED, IntentStatus.UNCONFIRMED if (
                self.is_stopped or now >= self.order.expires_at + ABANDONED_AFTER
            ):
                return RequiredAction.VOID
            case _:
                return None

    def action_after_refusal(self, refused: RequiredAction, intent: Intent) -> RequiredAction | None:
        """Return the action that follows a final refusal, given the PaymentIntent as read after it.

        An authorisation that can never be captured is released, which ends the payment as `failed`.
        """
        is_still_authorised = refused is RequiredAction.CAPTURE and intent.status is IntentStatus.AUTHORIZED
        return RequiredAction.VOID if is_still_authorised else None

    def observe(self, intent: Intent, *, now: datetime, republish: bool = False) -> tuple["Payment", EventType | None]:
        """Return the payment in the state that Stripe shows, and the event to publish, if any.

        The status never moves backwards, and the refunded amount never decreases. `now` becomes `paid_at` if the
        payment is seen authorised or captured for the first time. `republish` repeats the event of a state that Orders
        has not answered yet.
        """
        status, reason = self._status_of(intent)
        if self.status is not None and _RANK[status] < _RANK[self.status]:
            status, reason = self.status, self.reason
        refunded = max(self.refunded, intent.returned)
        is_paid = status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)
        paid_at = self.paid_at or (now if is_paid else None)
        seen = replace(
            self,
            status=status,
            reason=reason,
            refunded=refunded,
            refund_status=self._refund_status_of(intent),
            paid_at=paid_at,
        )
        if status is not self.status:
            return seen, _EVENT_TYPES[status]
        unanswered = seen.unanswered() if republish else None
        has_grown = status is PaymentStatus.CAPTURED and refunded > self.refunded
        return seen, unanswered or (EventType.PARTLY_REFUNDED if has_grown else None)

    def has_funds(self) -> bool:
        """Whether the buyer's money is authorised or captured."""
        return self.status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)

    def is_due(self) -> bool:
        """Whether the payment is recorded as authorised and the order waits for its capture."""
        return self.order.status is OrderStatus.AWAITING_PAYMENT and self.status is PaymentStatus.AUTHORIZED

    def has_recorded_funds_of(self, stripe_id: str) -> bool:
        """Whether the payment has this PaymentIntent and was recorded as authorised, or as what follows from it."""
        return self.stripe_id == stripe_id and self.status is not PaymentStatus.OPEN

    def has_recorded_capture_of(self, stripe_id: str) -> bool:
        """Whether the payment has this PaymentIntent and was recorded as captured, for an order that keeps the money.

        Its capture is then no news, and requires no action.
        """
        is_wanted = not self._goes_back()
        return self.stripe_id == stripe_id and self.status is PaymentStatus.CAPTURED and is_wanted

    def agrees_with(self, intent: Intent, now: datetime) -> bool:
        """Whether the PaymentIntent requires no action, no write and no event."""
        return self.required_action(intent, now) is None and self.observe(intent, now=now) == (self, None)

    def unanswered(self) -> EventType | None:
        """Return the event that Orders has not answered yet, or None."""
        match self.order.status, self.status:
            case OrderStatus.CREATED, PaymentStatus.AUTHORIZED:
                return EventType.AUTHORIZED
            case OrderStatus.CREATED, PaymentStatus.VOIDED | PaymentStatus.REFUNDED if self.paid_at:
                # The authorisation was published and has since been released or refunded, and Orders may wait for the
                # money. Orders answers the repeated event.
                return EventType.AUTHORIZED
            case OrderStatus.CREATED | OrderStatus.AWAITING_PAYMENT, PaymentStatus.CAPTURED:
                return EventType.CREATED
            case OrderStatus.AWAITING_PAYMENT, PaymentStatus.FAILED | PaymentStatus.REFUNDED:
                return EventType.FAILED
            case OrderStatus.COMPLETED | OrderStatus.REFUNDING, PaymentStatus.REFUNDED:
                return EventType.REFUNDED
            case OrderStatus.COMPLETED | OrderStatus.REFUNDING, PaymentStatus.CAPTURED if (
                self.refunded > self.order.refunded
            ):
                return EventType.PARTLY_REFUNDED
            case _:
                return None

    def is_settled(self) -> bool:
        """Whether no action at Stripe, no refund and no answer from Orders is pending.

        A failed refund is settled: only an operator can return the money, and Stripe reports it.
        """
        if self.refund_status is RefundStatus.PENDING:
            return False
        match self.status:
            case None:
                return True
            case PaymentStatus.OPEN | PaymentStatus.AUTHORIZED:
                return False
            case PaymentStatus.CAPTURED if self._goes_back():
                return self.refund_status is RefundStatus.FAILED and self.unanswered() is None
            case PaymentStatus.CAPTURED:
                return self.order.status is OrderStatus.COMPLETED and self.unanswered() is None
            case PaymentStatus.VOIDED:
                return self.order.status is not OrderStatus.AWAITING_PAYMENT and self.unanswered() is None
            case PaymentStatus.FAILED:
                return self.order.status is OrderStatus.CANCELLED
            case PaymentStatus.REFUNDED:
                return self.order.status in (OrderStatus.REFUNDED, OrderStatus.CANCELLED)

    def is_stalled(self, now: datetime) -> bool:
        """Whether the payment is not settled and its next step should have happened by now."""
        is_silent = self.updated_at is None or now >= self.updated_at + NORMAL_COURSE
        return is_silent and not self.is_settled()

    def awaits_refund(self) -> bool:
        """Whether only a refund remains to be done or to be recorded by Orders.

        It may stay pending for days, and the money with the bank for months.
        """
        is_captured = self.status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
        is_decided = self.order.status not in (OrderStatus.CREATED, OrderStatus.AWAITING_PAYMENT)
        return is_captured and is_decided and not self.is_settled()

    def _goes_back(self) -> bool:
        """Whether Orders has decided that captured money goes back to the buyer."""
        return self.order.status in (OrderStatus.CANCELLED, OrderStatus.REFUNDING)

    def _may_be_refunded(self, intent: Intent) -> bool:
        return intent.is_refundable() and self._refund_status_of(intent) is None

    def _refund_status_of(self, intent: Intent) -> RefundStatus | None:
        """Return the status of the refund. One that Stripe refused is known here only, until money has gone back."""
        is_known_here = self.refund_status is RefundStatus.FAILED and intent.returned <= self.refunded
        return intent.refund_status or (RefundStatus.FAILED if is_known_here else None)

    def _status_of(self, intent: Intent) -> tuple[PaymentStatus, str | None]:
        ours = _REASONS.get(self.order.status)
        match intent.status:
            case IntentStatus.UNCONFIRMED:
                return PaymentStatus.OPEN, None
            case IntentStatus.AUTHORIZED:
                return PaymentStatus.AUTHORIZED, None
            case IntentStatus.CANCELED if self.order.status is OrderStatus.AWAITING_PAYMENT:
                return PaymentStatus.FAILED, intent.cancellation_reason or "cancelled_at_stripe"
            case IntentStatus.CANCELED if self.status is PaymentStatus.FAILED:
                return PaymentStatus.FAILED, self.reason
            case IntentStatus.CANCELED:
                stopped = "too_many_declines" if self.is_stopped else None
                return PaymentStatus.VOIDED, ours or stopped or intent.cancellation_reason or "cancelled_at_stripe"
            case IntentStatus.SUCCEEDED if intent.is_returned():
                before = self.reason if self.status is PaymentStatus.REFUNDED else None
                return PaymentStatus.REFUNDED, "dispute_lost" if intent.lost else before or ours or "refunded_at_stripe"
            case IntentStatus.SUCCEEDED if intent.lost and ours:
                return PaymentStatus.REFUNDED, "dispute_lost"  # lost in part; Stripe refunds no more of it
            case IntentStatus.SUCCEEDED if intent.returned:
                return PaymentStatus.CAPTURED, "dispute_lost" if intent.lost else "refunded_at_stripe"
            case IntentStatus.SUCCEEDED:
                return PaymentStatus.CAPTURED, None


@dataclass(frozen=True, slots=True)
class DuePayment:
    """A payment that is not settled although its order's deadline has passed for longer than a step takes."""

    order_id: OrderID
    expires_at: datetime
    awaits_refund: bool = False


def end_of_day(instant: datetime) -> datetime:
    """Return the end of the instant's day (UTC)."""
    return instant.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def action_for_unrecorded(payment: Payment | None, intent: Intent, now: datetime) -> RequiredAction | None:
    """Return the action for an orphan PaymentIntent: ours, but not recorded as the payment of its order.

    It can hold money only if it was confirmed by hand, since `StripeGateway.create` never confirms. It is voided or
    refunded once it is certain that it will never be recorded: its order has another PaymentIntent or is cancelled, or
    it is older than `RECORDED_WITHIN`. `payment` is None if Payments does not know the order. Raises NotRecordedYet
    while this is uncertain.
    """
    match intent.status:
        case IntentStatus.UNCONFIRMED | IntentStatus.AUTHORIZED:
            action = RequiredAction.VOID
        case IntentStatus.SUCCEEDED if intent.is_refundable():
            action = RequiredAction.REFUND
        case _:
            return None
    if payment and (payment.stripe_id or payment.order.status is OrderStatus.CANCELLED):
        return action
    if payment and payment.order.status is not OrderStatus.CREATED:
        return None  # paid, but its record was lost, as after a restore: this may be its payment
    if now < intent.created_at + RECORDED_WITHIN:
        raise NotRecordedYet("this PaymentIntent is not recorded yet")
    return action


_REASONS = {OrderStatus.CANCELLED: "order_cancelled", OrderStatus.REFUNDING: "order_refunding"}
"""Why money is released or goes back, if Orders has decided it."""

_EVENT_TYPES: dict[PaymentStatus, EventType | None] = {
    PaymentStatus.OPEN: None,
    PaymentStatus.AUTHORIZED: EventType.AUTHORIZED,
    PaymentStatus.CAPTURED: EventType.CREATED,
    PaymentStatus.FAILED: EventType.FAILED,
    PaymentStatus.VOIDED: EventType.VOIDED,
    PaymentStatus.REFUNDED: EventType.REFUNDED,
}
