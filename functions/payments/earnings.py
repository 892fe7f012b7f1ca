"""The rules of a seller's earnings from one order, as pure functions: when they are sent, and when they are taken back.

Orders decides what the seller is due (`Earning.due`). What Stripe shows beyond its word only stops a transfer. A look
reads the record, then Stripe, and takes one step (`next_step`). A transfer or a reversal is an operation, which is
written down with its number before Stripe is called ([decision 98](../../docs/adr/0098-payout-protocol.md)).

    held ──► due ──► (sending) ──► paid ──► (reversing) ──► reversed
      │       ▲▼
      │     blocked      a dispute, or a refund that Orders has not recorded
      └───────┴──► cancelled      refunded before anything was sent
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from functions.payments.payment import Intent, OrderStatus, PayableOrder, RefundStatus
from shared.ids import OrderID, TicketID, UserID
from shared.money import NOTHING, MinorUnits

LEASE = timedelta(minutes=10)
"""After this time no request of an operation can reach Stripe any more: the function ends in 30 seconds."""
BLOCKED_LOOK = timedelta(minutes=15)
"""How often blocked earnings are looked at."""
FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(minutes=30)
"""The pause after a refusal doubles from FIRST_PAUSE to this."""
OVERDUE_AFTER = timedelta(days=1)
MINIMUM = MinorUnits(1)
"""The least amount of a transfer: Stripe takes any positive integer."""


class EarningStatus(StrEnum):
    """The status of earnings. The values are part of the API contract; SENDING and REVERSING are shown as before."""

    HELD = "held"
    DUE = "due"
    BLOCKED = "blocked"
    SENDING = "sending"
    PAID = "paid"
    REVERSING = "reversing"
    REVERSED = "reversed"
    CANCELLED = "cancelled"

    @property
    def shown(self) -> "EarningStatus":
        """The status in the API: money that is being sent is due, money that is being taken back is paid."""
        return _SHOWN.get(self, self)


_SHOWN = {EarningStatus.SENDING: EarningStatus.DUE, EarningStatus.REVERSING: EarningStatus.PAID}


class OperationKind(StrEnum):
    """A movement of money between the platform and a connected account."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"


class Answer(StrEnum):
    """Stripe's final answer to an operation that was not made: a refusal, or a failure of its own (5xx)."""

    REFUSED = "refused"
    FAILED = "failed"


class EventType(StrEnum):
    """The event that a write publishes."""

    CREATED = "payout:created"
    REVERSED = "payout:reversed"
    BLOCKED = "payout:blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What was sold, by whom, and the part of the price that the marketplace keeps."""

    order_id: OrderID
    seller_id: UserID
    ticket_id: TicketID
    title: str
    price: MinorUnits
    fee: MinorUnits
    currency: str

    @property
    def net(self) -> MinorUnits:
        """What the seller gets of the price."""
        return MinorUnits(self.price - self.fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A transfer or a reversal that was begun. Every request of it has the same number, amount and target.

    `target` is the account that a transfer goes to, or the transfer that a reversal takes back. `leased_at` is when a
    request was last announced. `answer` is Stripe's final answer, if it was not made.
    """

    kind: OperationKind
    number: int
    amount: MinorUnits
    target: str
    leased_at: datetime
    answer: Answer | None = None

    def key(self, order_id: OrderID) -> str:
        """Return the idempotency key of its requests."""
        return f"payout/{order_id}/{self.kind}/{self.number}"

    def is_same(self, other: "Operation | None") -> bool:
        """Whether both have the same key."""
        return other is not None and (self.kind, self.number) == (other.kind, other.number)

    def is_leased(self, now: datetime) -> bool:
        """Whether a request of it may still reach Stripe."""
        return now < self.leased_at + LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A reversal at Stripe. `number` is that of its operation; None if it was made by hand."""

    number: int | None
    amount: MinorUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A transfer at Stripe with its reversals. `number` is that of its operation; None if it was made by hand."""

    id: str
    number: int | None
    amount: MinorUnits
    reversals: tuple[Reversal, ...] = ()

    @property
    def stands(self) -> MinorUnits:
        """What was not reversed."""
        return MinorUnits(self.amount - sum(each.amount for each in self.reversals))


@dataclass(frozen=True, slots=True, kw_only=True)
class AtStripe:
    """What Stripe shows of an order's money, just read: the PaymentIntent, and the transfers of the order's group."""

    intent: Intent
    transfers: tuple[Transfer, ...] = ()

    def has(self, operation: Operation) -> bool:
        """Whether the operation was made, by the number in its metadata."""
        made: Iterator[int | None] = (
            (each.number for each in self.transfers)
            if operation.kind is OperationKind.TRANSFER
            else (reversal.number for each in self.transfers for reversal in each.reversals)
        )
        return operation.number in made


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A seller's connected account, just read from Stripe. `can_receive`: its capability `transfers` is active.

    `owes`: money is being taken back from the seller.
    """

    account_id: str
    can_receive: bool
    owes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """A seller's earnings from one order, and what was done about them.

    `order_status`, `order_version` and `refunded` are of the copy of the order. `number` is that of the last operation,
    `operation` the open one. `waits`: for a ready account, or for the end of a reversal of the seller's. `look_at` is
    when the next step may be due, None if none is. `shown` is the status in the API as of the last write: earnings are
    held until the first look after their release. `version` rises with each write that publishes an event, `revision`
    with every write.
    """

    sale: Sale
    order_status: OrderStatus
    order_version: int
    available_at: datetime
    refunded: MinorUnits = NOTHING
    transferred: MinorUnits = NOTHING
    reversed: MinorUnits = NOTHING
    number: int = 0
    operation: Operation | None = None
    is_blocked: bool = False
    waits: bool = False
    paid_at: datetime | None = None
    look_at: datetime | None = None
    shown: EarningStatus = EarningStatus.HELD
    version: int = 0
    revision: int = 0
    last_event: dict[str, Any] | None = None

    @property
    def due(self) -> MinorUnits:
        """What the seller is to have, by Orders' word alone. A refund of a part is at the seller's expense first."""
        if self.order_status is not OrderStatus.COMPLETED:
            return NOTHING
        return MinorUnits(max(0, self.sale.net - self.refunded))

    @property
    def stands(self) -> MinorUnits:
        """What the seller has of it."""
        return MinorUnits(self.transferred - self.reversed)

    def status(self, now: datetime) -> EarningStatus:
        """Return the status. Money that an operator has taken back by hand at Stripe is reversed, too."""
        if self.operation:
            is_transfer = self.operation.kind is OperationKind.TRANSFER
            return EarningStatus.SENDING if is_transfer else EarningStatus.REVERSING
        if self.transferred:
            return EarningStatus.PAID if self.stands else EarningStatus.REVERSED
        if not self.due:
            return EarningStatus.CANCELLED
        if self.is_blocked:
            return EarningStatus.BLOCKED
        return EarningStatus.HELD if now < self.available_at else EarningStatus.DUE

    @property
    def amount(self) -> MinorUnits:
        """What the earnings count for in their status: what the seller has, is due, or does not get."""
        if self.transferred and self.stands:
            return self.stands
        return self.due or self.sale.net

    def is_reversing(self) -> bool:
        """Whether a reversal is open: until it is made, nothing else is sent to the seller."""
        return self.operation is not None and self.operation.kind is OperationKind.REVERSAL

    def is_overdue(self, now: datetime) -> bool:
        """Whether nothing but a failure has kept the money back for a day."""
        is_due = self.status(now) in (EarningStatus.DUE, EarningStatus.SENDING)
        return is_due and not self.waits and now >= self.available_at + OVERDUE_AFTER

    def awaits_transfer(self, now: datetime) -> bool:
        """Whether the account must be read: money may be sent."""
        if self.operation:
            return self.operation.kind is OperationKind.TRANSFER
        return bool(self.due) and not self.transferred and now >= self.available_at

    def with_order(self, order: PayableOrder, now: datetime) -> "Earning":
        """Return the earnings with the newer copy of the order, to be looked at if its word requires a step.

        An older copy is ignored.
        """
        if order.version <= self.order_version:
            return self
        newer = replace(self, order_status=order.status, order_version=order.version, refunded=order.refunded)
        if newer.operation or newer.stands > newer.due:
            return replace(newer, look_at=now, waits=False)
        return newer if newer.due else newer.ended()

    def seen(self, stripe: AtStripe) -> "Earning":
        """Return the earnings as Stripe shows them: an operation that was made is over, whatever was answered."""
        operation = self.operation
        return replace(
            self,
            transferred=MinorUnits(sum(each.amount for each in stripe.transfers)),
            reversed=MinorUnits(sum(each.amount - each.stands for each in stripe.transfers)),
            operation=None if operation and stripe.has(operation) else operation,
        )

    def may_repeat(self, operation: Operation, stripe: AtStripe, recipient: Recipient | None) -> bool:
        """Whether a request may be repeated: of a reversal always, of a transfer while it might still be begun."""
        if operation.kind is OperationKind.REVERSAL:
            return True
        is_wanted = operation.amount == self.due and not self.transferred
        is_same = recipient is not None and recipient.account_id == operation.target
        return is_wanted and is_same and can_payout(recipient, operation.amount) and not self.is_at_risk(stripe)

    def is_at_risk(self, stripe: AtStripe) -> bool:
        """Whether Stripe shows that money leaves, or has left, about which Orders has not decided."""
        intent = stripe.intent
        is_decided = self.order_status is not OrderStatus.COMPLETED
        is_leaving = intent.refund_status is RefundStatus.PENDING and not is_decided
        return intent.with_the_bank or is_leaving or (not is_decided and intent.returned > self.refunded)

    def begun(self, kind: OperationKind, amount: MinorUnits, target: str, now: datetime) -> "Earning":
        """Return the earnings with the next operation: it has the next number, and so a key of its own."""
        number = self.number + 1
        operation = Operation(kind=kind, number=number, amount=amount, target=target, leased_at=now)
        look_at = self.look_at if self.look_at and self.look_at <= now else now
        return replace(self, operation=operation, number=number, is_blocked=False, waits=False, look_at=look_at)

    def waiting(self, now: datetime) -> "Earning":
        """Return the earnings when nothing can be sent to the seller: no schedule looks at them until that changes."""
        look_at = self.look_at if self.waits else now
        return replace(self, operation=None, is_blocked=False, waits=True, look_at=look_at)

    def ended(self) -> "Earning":
        """Return the earnings when no step is left."""
        return replace(self, operation=None, is_blocked=False, waits=False, look_at=None)

    def made(self, operation: Operation, now: datetime) -> "Earning":
        """Return the earnings after Stripe has made this operation. Unchanged if it is not the open one."""
        if not operation.is_same(self.operation):
            return self
        if operation.kind is OperationKind.TRANSFER:
            after = replace(self, transferred=MinorUnits(self.transferred + operation.amount), paid_at=now)
        else:
            after = replace(self, reversed=MinorUnits(self.reversed + operation.amount))
        after = replace(after, operation=None)
        return replace(after, look_at=now) if after.stands > after.due else after.ended()

    def answered(self, operation: Operation, answer: Answer, now: datetime) -> "Earning":
        """Return the earnings after a final answer, also past another write. Unchanged if it is not the open one.

        The next number follows after another look: a pause after a refusal, and when the lease has ended after a 5xx.
        """
        if self.operation is None or not operation.is_same(self.operation):
            return self
        pause = min(FIRST_PAUSE * 2 ** min(self.number - 1, 3), LONGEST_PAUSE)
        look_at = now + pause if answer is Answer.REFUSED else self.operation.leased_at + LEASE
        return replace(self, operation=replace(self.operation, answer=answer), look_at=look_at)


@dataclass(frozen=True, slots=True)
class Step:
    """What a look decides: the record to write, and whether Stripe is called for its operation then."""

    after: Earning
    calls: bool = False


def earned(sale: Sale, order: PayableOrder, *, now: datetime, hold: timedelta) -> Earning:
    """Return the record of an order that has completed, or of one that was refunded before its record was written."""
    available_at = now + hold
    made = Earning(
        sale=sale,
        order_status=order.status,
        order_version=order.version,
        refunded=order.refunded,
        available_at=available_at,
    )
    return replace(made, look_at=available_at) if made.due else made


def can_payout(recipient: Recipient | None, amount: MinorUnits) -> bool:
    """Whether the amount can be transferred to the account now."""
    return recipient is not None and recipient.can_receive and not recipient.owes and amount >= MINIMUM


def next_step(earning: Earning, stripe: AtStripe, recipient: Recipient | None, now: datetime) -> Step:
    """Return the first step that applies to what was just read: the record, then Stripe, then the seller's account.

    `recipient` is None if the seller has no account, or if it need not be read (`Earning.awaits_transfer`).
    """
    read = earning.seen(stripe)
    if read.transferred and not read.paid_at:
        read = replace(read, paid_at=now)
    operation = read.operation
    if operation and operation.answer is None and read.may_repeat(operation, stripe, recipient):
        return Step(replace(read, operation=replace(operation, leased_at=now)), calls=True)
    if operation and operation.answer is not Answer.REFUSED and operation.is_leased(now):
        return Step(replace(read, look_at=operation.leased_at + LEASE))
    read = replace(read, operation=None)
    if read.stands > read.due:
        source = max(stripe.transfers, key=lambda each: each.stands)
        amount = MinorUnits(min(read.stands - read.due, source.stands))
        return Step(read.begun(OperationKind.REVERSAL, amount, source.id, now), calls=True)
    if read.transferred or not read.due:
        return Step(read.ended())
    if read.is_at_risk(stripe):
        return Step(replace(read, is_blocked=True, waits=False, look_at=now + BLOCKED_LOOK))
    if now < read.available_at:
        return Step(replace(read, is_blocked=False, waits=False, look_at=read.available_at))
    if recipient is None or not can_payout(recipient, read.due):
        return Step(read.waiting(now))
    return Step(read.begun(OperationKind.TRANSFER, read.due, recipient.account_id, now), calls=True)


def event_of(before: Earning, after: Earning) -> EventType | None:
    """Return the event that the change publishes, or None."""
    if after.reversed > before.reversed:
        return EventType.REVERSED
    if after.transferred > before.transferred:
        return EventType.CREATED
    return EventType.BLOCKED if after.is_blocked and not before.is_blocked else None
