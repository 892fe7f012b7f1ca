"""A payment: what its order asks for, what Stripe says of it, and what follows from the two, as pure rules.

Orders decides, money follows: capture only once the order is `awaiting:payment`, void or refund only once it is
`cancelled`. Stripe's PaymentIntent is read again before anything is believed.

    open ──► authorized ──► captured ──► refunded      a refund of a part leaves it captured
      │          │
      └──────────┴──► voided, failed       failed: Orders asked for a capture that is impossible for good

    PaymentError
    ├── OrderNotFound, PaymentNotFound
    ├── OrderCancelled, OrderExpired, PaymentOver
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

ABANDONED_AFTER = timedelta(minutes=10)  # past the deadline; by then the sweep has ended every order
RECORDED_WITHIN = timedelta(minutes=5)
"""A PaymentIntent that is older than this and not recorded never will be: the call that makes one records it, and no
call takes longer than 30 seconds."""


class PaymentError(Exception):
    """The payment cannot be made or read like this."""


class OrderNotFound(PaymentError):
    """The caller has no such order; `young` if it may only not have reached Payments yet."""

    def __init__(self, *, young: bool = False) -> None:
        super().__init__("you have no such order")
        self.young = young


class PaymentNotFound(PaymentError):
    """No payment was started for the order."""

    def __init__(self) -> None:
        super().__init__("no payment was started for this order")


class OrderCancelled(PaymentError):
    """The order is cancelled, so it takes no payment."""


class OrderExpired(PaymentError):
    """The order's deadline has passed, so it takes no payment."""


class PaymentOver(PaymentError):
    """The order's one payment has ended without success."""


class BadToken(PaymentError):
    """Stripe does not know the token or payment method."""


class CardDeclined(PaymentError):
    """The card was declined; another may be tried."""

    def __init__(self, message: str, *, code: str, decline_code: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.decline_code = decline_code


class StripeUnavailable(PaymentError):
    """Stripe did not answer, or not in time; what it did is not known."""


class PaymentsNotConfigured(PaymentError):
    """This stage has no Stripe keys, or wrong ones."""


class NotRecordedYet(PaymentError):
    """A PaymentIntent of ours is not recorded, but may be any moment."""


class Status(StrEnum):
    """Where a payment stands; the words are the contract's."""

    OPEN = "open"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"
    REFUNDED = "refunded"


_RANK = {
    Status.OPEN: 0,
    Status.AUTHORIZED: 1,
    Status.CAPTURED: 2,
    Status.VOIDED: 2,
    Status.FAILED: 2,
    Status.REFUNDED: 3,
}


class OrderStatus(StrEnum):
    """Where the order stands, as Orders told it last."""

    CREATED = "created"
    AWAITING_PAYMENT = "awaiting:payment"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class IntentStatus(StrEnum):
    """A PaymentIntent's status (Stripe, "The PaymentIntent lifecycle"), as far as it asks for different things."""

    UNCONFIRMED = "unconfirmed"
    AUTHORIZED = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A PaymentIntent as Stripe has just shown it."""

    id: str
    status: IntentStatus
    client_secret: str
    created_at: datetime
    stage: str | None
    order_id: OrderID | None
    captured: MinorUnits = NOTHING
    refunded: MinorUnits = NOTHING
    lost: MinorUnits = NOTHING
    """What banks have given back in disputes that we lost."""
    with_the_bank: bool = False
    """Disputed: until the bank has decided, it has the money, and Stripe refunds nothing."""
    cancellation_reason: str | None = None

    @property
    def returned(self) -> MinorUnits:
        """How much of the captured money its payer has again; a bank may give back what was refunded already."""
        return MinorUnits(min(self.refunded + self.lost, self.captured))

    def is_returned(self) -> bool:
        """Whether money was captured and all of it went back."""
        return self.status is IntentStatus.SUCCEEDED and self.returned == self.captured

    def holds_money(self) -> bool:
        """Whether it holds a reservation on a card, or captured money that has not gone back."""
        return self.status is IntentStatus.AUTHORIZED or (
            self.status is IntentStatus.SUCCEEDED and not self.is_returned()
        )

    def is_refundable(self) -> bool:
        """Whether there is money of the buyer's that can be given back now. A lost dispute ends all refunds."""
        return not (self.is_returned() or self.lost or self.with_the_bank)


class Duty(StrEnum):
    """What must be done at Stripe."""

    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Telling(StrEnum):
    """Which event a write tells."""

    AUTHORIZED = "payment:authorized"
    CREATED = "payment:created"
    FAILED = "payment:failed"
    VOIDED = "payment:voided"
    PARTLY_REFUNDED = "payment:partly-refunded"
    REFUNDED = "payment:refunded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Payments' own copy of an order; `refunded` is how much of its money Orders knows to have gone back."""

    id: OrderID
    user_id: UserID
    status: OrderStatus
    expires_at: datetime
    amount: MinorUnits
    currency: str
    version: int
    refunded: MinorUnits = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """An order and, once it was started, its one payment.

    `version` rises with each write that tells an event, `revision` with every write. `paid_at` is when its buyer's
    funds were first seen to be held or taken. `refunded` is the total that went back so far: it never shrinks.
    """

    order: Order
    id: PaymentID | None = None
    stripe_id: str | None = None
    client_secret: str | None = None
    status: Status | None = None
    reason: str | None = None
    refunded: MinorUnits = NOTHING
    paid_at: datetime | None = None
    version: int = 0
    revision: int = 0
    last_event: dict[str, Any] | None = None

    def check_can_be_started(self, now: datetime) -> None:
        """Raise the reason for which no money can be taken for this order now, if there is one."""
        if self.order.status is OrderStatus.CANCELLED:
            raise OrderCancelled("the order is cancelled")
        if self.status in (Status.FAILED, Status.VOIDED, Status.REFUNDED):
            raise PaymentOver(f"the order's payment is {self.status}")
        if self.order.status is OrderStatus.CREATED and now >= self.order.expires_at:
            raise OrderExpired("the order has expired")

    def opened(self, payment_id: PaymentID, intent: Intent) -> "Payment":
        """The order with this PaymentIntent as its one payment."""
        return replace(self, id=payment_id, stripe_id=intent.id, client_secret=intent.client_secret, status=Status.OPEN)

    def with_order(self, order: Order) -> "Payment":
        """The payment with what Orders says now; an older word changes nothing."""
        return replace(self, order=order) if order.version > self.order.version else self

    def duty(self, intent: Intent, now: datetime) -> Duty | None:
        """What this order's status asks to be done with its PaymentIntent."""
        match self.order.status, intent.status:
            case OrderStatus.AWAITING_PAYMENT, IntentStatus.AUTHORIZED:
                return Duty.CAPTURE
            case OrderStatus.AWAITING_PAYMENT, IntentStatus.UNCONFIRMED:
                return Duty.VOID  # the funds that were held are gone; nobody may pay into it any more
            case OrderStatus.CANCELLED, IntentStatus.UNCONFIRMED | IntentStatus.AUTHORIZED:
                return Duty.VOID
            case OrderStatus.CANCELLED, IntentStatus.SUCCEEDED if intent.is_refundable():
                return Duty.REFUND
            case OrderStatus.CREATED, IntentStatus.UNCONFIRMED if now >= self.order.expires_at + ABANDONED_AFTER:
                return Duty.VOID
            case _:
                return None

    def observe(self, intent: Intent, *, tell_again: bool) -> tuple["Payment", Telling | None]:
        """The payment as Stripe shows it, and the event that this asks to tell.

        A status never moves backwards, and what was refunded never shrinks. `tell_again` repeats the event of a state
        that Orders has not answered yet.
        """
        status, reason = self._status_of(intent)
        if self.status is not None and _RANK[status] < _RANK[self.status]:
            status, reason = self.status, self.reason
        refunded = max(self.refunded, intent.returned)
        seen = replace(self, status=status, reason=reason, refunded=refunded)
        if status is not self.status:
            return seen, _TOLD_BY[status]
        unanswered = seen.unanswered() if tell_again else None
        has_grown = status is Status.CAPTURED and refunded > self.refunded
        return seen, unanswered or (Telling.PARTLY_REFUNDED if has_grown else None)

    def is_due(self) -> bool:
        """Whether the buyer's funds were seen to be held, and the order has its ticket for good."""
        return self.order.status is OrderStatus.AWAITING_PAYMENT and self.status is Status.AUTHORIZED

    def agrees_with(self, intent: Intent, now: datetime) -> bool:
        """Whether the PaymentIntent asks for nothing: nothing to be done with it, to be written, or to be told."""
        return self.duty(intent, now) is None and self.observe(intent, tell_again=False) == (self, None)

    def unanswered(self) -> Telling | None:
        """The event whose answer by Orders is missing."""
        match self.order.status, self.status:
            case OrderStatus.CREATED, Status.AUTHORIZED:
                return Telling.AUTHORIZED
            case OrderStatus.CREATED, Status.VOIDED | Status.REFUNDED if self.paid_at:
                # Orders was told of funds that somebody or a bank has let go since, and may wait for them. It answers.
                return Telling.AUTHORIZED
            case OrderStatus.CREATED | OrderStatus.AWAITING_PAYMENT, Status.CAPTURED:
                return Telling.CREATED
            case OrderStatus.AWAITING_PAYMENT, Status.FAILED | Status.REFUNDED:
                return Telling.FAILED
            case OrderStatus.COMPLETED, Status.REFUNDED:
                return Telling.REFUNDED
            case OrderStatus.COMPLETED, Status.CAPTURED if self.refunded > self.order.refunded:
                return Telling.PARTLY_REFUNDED
            case _:
                return None

    def is_settled(self) -> bool:
        """Whether nothing is left to be done at Stripe or to be heard from Orders."""
        match self.status:
            case None:
                return True
            case Status.OPEN | Status.AUTHORIZED:
                return False
            case Status.CAPTURED:
                return self.order.status is OrderStatus.COMPLETED and self.unanswered() is None
            case Status.VOIDED:
                return self.order.status is not OrderStatus.AWAITING_PAYMENT and self.unanswered() is None
            case Status.FAILED:
                return self.order.status is OrderStatus.CANCELLED
            case Status.REFUNDED:
                return self.order.status in (OrderStatus.REFUNDED, OrderStatus.CANCELLED)

    def _status_of(self, intent: Intent) -> tuple[Status, str | None]:
        ours = "order_cancelled" if self.order.status is OrderStatus.CANCELLED else None
        match intent.status:
            case IntentStatus.UNCONFIRMED:
                return Status.OPEN, None
            case IntentStatus.AUTHORIZED:
                return Status.AUTHORIZED, None
            case IntentStatus.CANCELED if self.order.status is OrderStatus.AWAITING_PAYMENT:
                return Status.FAILED, intent.cancellation_reason or "cancelled_at_stripe"
            case IntentStatus.CANCELED if self.status is Status.FAILED:
                return Status.FAILED, self.reason
            case IntentStatus.CANCELED:
                return Status.VOIDED, ours or intent.cancellation_reason or "cancelled_at_stripe"
            case IntentStatus.SUCCEEDED if intent.is_returned():
                return Status.REFUNDED, "dispute_lost" if intent.lost else ours or "refunded_at_stripe"
            case IntentStatus.SUCCEEDED if intent.lost and ours:
                return Status.REFUNDED, "dispute_lost"  # of a part; Stripe refunds no more of it
            case IntentStatus.SUCCEEDED if intent.returned:
                return Status.CAPTURED, "dispute_lost" if intent.lost else "refunded_at_stripe"
            case IntentStatus.SUCCEEDED:
                return Status.CAPTURED, None


def duty_of_unrecorded(payment: Payment | None, intent: Intent, now: datetime) -> Duty | None:
    """What must be done with a PaymentIntent of ours that is not recorded as its order's payment.

    Only somebody's hand can have put money into one, since creating never confirms. It goes back, as soon as it is
    certain that the PaymentIntent will not be recorded: its order has another one or is cancelled, or it is too old.
    `payment` is None where Payments does not know the order. Raises NotRecordedYet as long as it is not certain.
    """
    match intent.status:
        case IntentStatus.UNCONFIRMED | IntentStatus.AUTHORIZED:
            duty = Duty.VOID
        case IntentStatus.SUCCEEDED if intent.is_refundable():
            duty = Duty.REFUND
        case _:
            return None
    if payment and (payment.stripe_id or payment.order.status is OrderStatus.CANCELLED):
        return duty
    if payment and payment.order.status is not OrderStatus.CREATED:
        return None  # the order is paid for and the record is lost, as after a restore: this may be its money
    if now < intent.created_at + RECORDED_WITHIN:
        raise NotRecordedYet("this PaymentIntent is not recorded yet")
    return duty


_TOLD_BY: dict[Status, Telling | None] = {
    Status.OPEN: None,
    Status.AUTHORIZED: Telling.AUTHORIZED,
    Status.CAPTURED: Telling.CREATED,
    Status.FAILED: Telling.FAILED,
    Status.VOIDED: Telling.VOIDED,
    Status.REFUNDED: Telling.REFUNDED,
}
