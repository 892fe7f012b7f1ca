"""The use cases of Payments.

`settle` is the saga: it reads the order's status and the PaymentIntent, performs the required action at Stripe, and
writes the result together with its outbox entry. Requests of buyers, webhooks, events of Orders and the reconciler all
call it, so the second of two concurrent changes always acts on both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from functions.payments.payment import (
    EventType,
    Intent,
    IntentStatus,
    OrderNotFound,
    OrderStatus,
    Payment,
    PaymentNotFound,
    PaymentsNotConfigured,
    RequiredAction,
    Status,
    StripeUnavailable,
    action_for_unrecorded,
)
from functions.payments.store import PaymentStore, VersionConflict
from functions.payments.stripe_gateway import Gateway, IntentMissing, WrongState
from shared import clock
from shared.events import OrderAwaitingPayment, OrderCancelled, OrderCompleted, OrderEvent
from shared.ids import OrderID, PaymentID, UserID, is_id, new_id
from shared.money import CURRENCIES, format_amount
from shared.replication_lag import is_recent, read_until_replicated
from shared.table import Contention, Write
from shared.telemetry import count, logger, measure

MAX_ATTEMPTS = 6  # version conflicts before Contention is raised, and the message or request must be retried
READ_EVERY = timedelta(seconds=2)

type Receipt = Callable[[Payment], Write | None]


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of `settle`: the current payment, and whether this call wrote a change or published an event."""

    payment: Payment
    acted: bool


def start(
    store: PaymentStore, *, user_id: UserID, order_id: str, token: str | None, receipt: Receipt
) -> tuple[Payment, bool]:
    """Start the order's payment and, with a token, authorise it.

    `receipt` builds the idempotency record, which is written in the transaction of the effect. Returns the payment and
    whether it is new or was confirmed (False: an existing payment is returned unchanged).

    Raises OrderNotFound, OrderCancelled, OrderExpired, PaymentOver, BadToken, CardDeclined, StripeUnavailable,
    PaymentsNotConfigured, Contention.
    """
    payment = _find(store, user_id, order_id)
    if payment.status in (Status.AUTHORIZED, Status.CAPTURED):
        return payment, False
    payment.check_can_be_started(clock.now())
    stripe = Gateway()
    is_new = False
    if payment.stripe_id is None:
        payment, is_new = _open(store, stripe, payment, receipt if token is None else _no_receipt)
    if token is None:
        return payment, is_new
    payment.check_can_be_started(clock.now())
    return _confirm(store, stripe, payment, token, receipt), True


def get_payment(store: PaymentStore, *, user_id: UserID, order_id: str) -> Payment:
    """Return the order's payment. An open payment is settled against Stripe first, at most every 2 seconds.

    If Stripe does not respond, returns the recorded state. Raises OrderNotFound, PaymentNotFound.
    """
    payment = _find(store, user_id, order_id)
    if payment.stripe_id is None:
        raise PaymentNotFound
    if payment.status is Status.OPEN and store.claim_read(payment.order.id, READ_EVERY):
        try:
            return settle(store, Gateway(), payment.order.id).payment
        except (StripeUnavailable, PaymentsNotConfigured, IntentMissing) as error:
            logger.warning("returning the recorded payment", order_id=payment.order.id, reason=str(error))
    return payment


def follow_order(store: PaymentStore, event: OrderEvent) -> None:
    """Record the order's new state and perform the action it requires: capture, void or refund."""
    payment = _keep_order(store, event)
    if payment.stripe_id is None:
        return
    match event:
        case OrderAwaitingPayment():
            settle(store, Gateway(), event.id, republish=True)  # a repeated event: Orders lacks our answer
        case OrderCancelled():
            settle(store, Gateway(), event.id)
        case OrderCompleted() if payment.unanswered():
            settle(store, Gateway(), event.id, republish=True)  # refunded before Orders completed it


def settle(store: PaymentStore, stripe: Gateway, order_id: OrderID, *, republish: bool = False) -> Settled:
    """Bring the order's status, the PaymentIntent and our record into agreement.

    `republish` repeats the event of a state that Orders has not answered yet. Raises PaymentNotFound, Contention, and
    the errors of `Gateway`; nothing has been written then, so a retry is safe.
    """
    for _ in range(MAX_ATTEMPTS):
        payment = store.payment(order_id)
        if payment is None or payment.stripe_id is None:
            raise PaymentNotFound
        intent = _apply_order_status(stripe, payment, payment.stripe_id)
        after, event_type = payment.observe(intent, republish=republish)
        if after == payment and event_type is None:
            return Settled(payment, acted=False)
        try:
            return Settled(_save(store, payment, after, event_type), acted=True)
        except VersionConflict:
            continue
    raise Contention("the payment is changing; try again")


def reconcile_intent(store: PaymentStore, stripe: Gateway, stripe_id: str) -> bool:
    """Settle the payment of a PaymentIntent whose state may have changed at Stripe.

    An orphan PaymentIntent is voided or refunded. Ignores PaymentIntents of other stages or of unknown origin. Returns
    whether anything was written, published, voided or refunded. Raises NotRecordedYet if the PaymentIntent is ours and
    may still be recorded.
    """
    try:
        intent = stripe.retrieve(stripe_id)
    except IntentMissing:
        return False
    if intent.stage != stripe.stage or intent.order_id is None:
        return False
    payment = store.payment(intent.order_id)
    if payment and payment.stripe_id == stripe_id:
        if payment.agrees_with(intent, clock.now()):
            return False
        # `settle` reads both again: it must decide on a PaymentIntent read after the order, never before.
        return settle(store, stripe, intent.order_id).acted
    return _give_back(stripe, payment, intent)


def _give_back(stripe: Gateway, payment: Payment | None, intent: Intent) -> bool:
    """Void or refund an orphan PaymentIntent; returns whether it held money.

    Idempotent, and safe to run concurrently with `_open`: raises NotRecordedYet while the PaymentIntent may still be
    recorded.
    """
    match action_for_unrecorded(payment, intent, clock.now()):
        case RequiredAction.VOID:
            _void(stripe, intent.id)
            return intent.status is IntentStatus.AUTHORIZED
        case RequiredAction.REFUND:
            logger.warning("refunding an orphan PaymentIntent", stripe_id=intent.id)
            return _refund(stripe, intent.id)
        case _:
            if intent.holds_money():
                # Disputed: the bank decides. Or the order is paid and its payment record was lost in a restore.
                logger.warning("not refunding an orphan PaymentIntent that holds money", stripe_id=intent.id)
            return False


def _open(store: PaymentStore, stripe: Gateway, payment: Payment, receipt: Receipt) -> tuple[Payment, bool]:
    """Create a PaymentIntent and record it, if the order still takes payments and has none; else cancel it.

    Returns the payment and whether this PaymentIntent is the recorded one. Raises OrderCancelled, OrderExpired,
    PaymentOver, Contention.
    """
    intent = stripe.create(payment.order)
    for _ in range(MAX_ATTEMPTS):
        after = payment.opened(PaymentID(new_id()), intent)
        try:
            return store.save(payment, after, also=receipt(after)), True
        except VersionConflict:
            now = store.payment(payment.order.id)
            if now is None or now.stripe_id == intent.id:
                return now or after, True  # our own write had succeeded, and its response was lost
            payment = now
        if payment.stripe_id is not None or payment.order.status is OrderStatus.CANCELLED:
            _void(stripe, intent.id)
            payment.check_can_be_started(clock.now())
            return payment, False
    _void(stripe, intent.id)
    raise Contention("the payment is changing; try again")


def _confirm(store: PaymentStore, stripe: Gateway, payment: Payment, token: str, receipt: Receipt) -> Payment:
    assert payment.stripe_id is not None  # noqa: S101  # it was opened
    try:
        intent = stripe.confirm(payment.stripe_id, token)
    except WrongState:
        intent = stripe.retrieve(payment.stripe_id)
    after, event_type = payment.observe(intent, republish=False)
    if after == payment:
        return payment  # 3-D Secure: the browser continues with the client secret
    has_funds = after.status in (Status.AUTHORIZED, Status.CAPTURED)
    try:
        now = _save(store, payment, after, event_type, receipt(after) if has_funds else None)
    except VersionConflict:
        now = settle(store, stripe, payment.order.id).payment
    if now.status not in (Status.AUTHORIZED, Status.CAPTURED):
        now.check_can_be_started(clock.now())
    return now


def _apply_order_status(stripe: Gateway, payment: Payment, stripe_id: str) -> Intent:
    """Perform the required action and return the resulting PaymentIntent.

    A payment recorded as authorised is captured without reading the PaymentIntent first, which saves a call.
    """
    if payment.is_due():
        try:
            return stripe.capture(stripe_id)
        except WrongState:
            logger.info("PaymentIntent not capturable; reading its state", stripe_id=stripe_id)
    return _perform(stripe, payment, stripe.retrieve(stripe_id))


def _perform(stripe: Gateway, payment: Payment, intent: Intent) -> Intent:
    """Perform the required action at Stripe and return the resulting PaymentIntent."""
    required_action = payment.required_action(intent, clock.now())
    try:
        match required_action:
            case RequiredAction.CAPTURE:
                return stripe.capture(intent.id)
            case RequiredAction.VOID:
                return stripe.cancel(intent.id)
            case RequiredAction.REFUND:
                return stripe.refund(intent.id)
            case None:
                return intent
    except WrongState:
        # A concurrent call came first, or an earlier attempt had succeeded: continue with the actual state.
        return stripe.retrieve(intent.id)


def _void(stripe: Gateway, stripe_id: str) -> None:
    try:
        stripe.cancel(stripe_id)
    except WrongState:
        logger.info("PaymentIntent had already ended", stripe_id=stripe_id)


def _refund(stripe: Gateway, stripe_id: str) -> bool:
    try:
        stripe.refund(stripe_id)
    except WrongState:
        logger.info("PaymentIntent was already refunded or disputed", stripe_id=stripe_id)
        return False
    return True


def _save(
    store: PaymentStore, before: Payment, after: Payment, event_type: EventType | None, also: Write | None = None
) -> Payment:
    """Save the state observed at Stripe, and count captured money once. Raises VersionConflict."""
    saved = store.save(before, after, event_type, also)
    if saved.status is Status.CAPTURED and before.status is not Status.CAPTURED:
        order = saved.order
        count("MoneyCaptured", float(format_amount(order.amount, CURRENCIES[order.currency])))
    return saved


def _keep_order(store: PaymentStore, event: OrderEvent) -> Payment:
    for _ in range(MAX_ATTEMPTS):
        try:
            before, payment = store.keep_order(event)
        except VersionConflict:
            continue
        is_news = before is None or before.order.status is not payment.order.status
        if is_news and payment.order.status is OrderStatus.COMPLETED and payment.paid_at:
            measure("PaymentToTicket", (clock.now() - payment.paid_at).total_seconds())
        return payment
    raise Contention("the payment is changing; try again")


def _find(store: PaymentStore, user_id: UserID, order_id: str) -> Payment:
    payment = read_until_replicated(lambda: store.payment(OrderID(order_id)), order_id) if is_id(order_id) else None
    if payment is None or payment.order.user_id != user_id:
        raise OrderNotFound(young=payment is None and is_id(order_id) and is_recent(order_id))
    return payment


def _no_receipt(_payment: Payment) -> None:
    return None
