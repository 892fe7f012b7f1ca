"""The use cases of Payments.

`settle` is the saga: it reads the order's status and the PaymentIntent, performs the required action at Stripe, and
writes the result together with its outbox entry. Requests of buyers, webhooks, events of Orders and the settler all
call it, so the second of two concurrent changes always acts on both.
"""

from dataclasses import dataclass
from datetime import timedelta

from functions.payments.declines import Attempt, begin_attempt, check_buyer, end_attempt, new_attempt, record_decline
from functions.payments.earning_store import EarningStore, to_sale, written
from functions.payments.earnings import Sale, earned
from functions.payments.payment import (
    CardDeclined,
    EventType,
    Intent,
    IntentStatus,
    OrderNotFound,
    OrderStatus,
    PayableOrder,
    Payment,
    PaymentNotFound,
    PaymentsNotConfigured,
    PaymentStatus,
    RefundStatus,
    RequiredAction,
    StripeUnavailable,
    action_for_unrecorded,
)
from functions.payments.store import PaymentStore, to_payable_order
from functions.payments.stripe_gateway import IntentMissing, StripeGateway, WrongState
from shared import clock
from shared.events import OrderAwaitingPayment, OrderCancelled, OrderCompleted, OrderEvent, OrderRefundRequested
from shared.ids import OrderID, PaymentID, UserID, is_id, new_id
from shared.money import CURRENCIES, format_amount
from shared.replication_lag import is_recent
from shared.telemetry import count, logger, measure
from shared.unit_of_work import VersionConflict, retry_on_conflict

MAX_ATTEMPTS = 6  # each may call Stripe, and together they must end before the function's timeout
READ_EVERY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of `settle`: the current payment, and whether this call wrote a change or published an event."""

    payment: Payment
    acted: bool


def start_payment(store: PaymentStore, *, user_id: UserID, order_id: str, token: str | None) -> tuple[Payment, bool]:
    """Start the order's payment and, with a token, authorise it.

    Returns the payment and whether it is new or was confirmed (False: an existing payment is returned unchanged).

    Raises OrderNotFound, OrderCancelled, OrderExpired, PaymentOver, TooManyDeclines, TooManyDeclinesToday,
    AmountRefused, BadToken, CardDeclined, StripeUnavailable, PaymentsNotConfigured, Contention.
    """
    payment = _find(store, user_id, order_id)
    if payment.has_funds():
        return payment, False
    payment.check_can_be_started(clock.now())
    stripe = StripeGateway.for_buyer()
    check_buyer(store, user_id)
    is_new = False
    if payment.stripe_id is None:
        payment, is_new = _open(store, stripe, payment, is_complete=token is None)
    if token is None:
        return payment, is_new
    return _confirm(store, stripe, payment, token), True


def get_payment(store: PaymentStore, *, user_id: UserID, order_id: str) -> Payment:
    """Return the order's payment. An open payment is settled against Stripe first, at most every 2 seconds.

    If Stripe does not respond, returns the recorded state. Raises OrderNotFound, PaymentNotFound.
    """
    payment = _find(store, user_id, order_id)
    if payment.stripe_id is None:
        raise PaymentNotFound
    if payment.status is PaymentStatus.OPEN and store.claim_read(payment.order.id, READ_EVERY):
        try:
            return settle(store, StripeGateway.for_buyer(), payment.order.id).payment
        except (StripeUnavailable, PaymentsNotConfigured, IntentMissing) as error:
            logger.warning("returning the recorded payment", order_id=payment.order.id, reason=str(error))
    return payment


def follow_order(store: PaymentStore, event: OrderEvent, *, payout_hold: timedelta) -> None:
    """Record the order's new state and perform the action it requires: capture, void or refund.

    What the seller earns of an order that has completed is recorded with it, to be paid after `payout_hold`.

    The order that is to be captured is recorded together with its capture. Every other state is recorded first, so that
    nobody starts the payment of a cancelled order while Stripe does not respond.
    """
    order = to_payable_order(event)
    if isinstance(event, OrderAwaitingPayment):
        try:
            settle(store, StripeGateway(), order.id, order=order, republish=True)  # repeated: Orders lacks our answer
        except PaymentNotFound:
            _record_order(store, order)
        return
    payment = _record_order(store, order, sale=to_sale(event), payout_hold=payout_hold)
    if payment.stripe_id is None:
        return
    match event:
        case OrderCancelled():
            settle(store, StripeGateway(), event.id)
        case OrderRefundRequested():
            settle(store, StripeGateway(), event.id, republish=True)  # repeated: the money may have gone back before
        case OrderCompleted() if payment.unanswered():
            settle(store, StripeGateway(), event.id, republish=True)  # refunded before Orders completed it


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def settle(
    store: PaymentStore,
    stripe: StripeGateway,
    order_id: OrderID,
    *,
    order: PayableOrder | None = None,
    republish: bool = False,
) -> Settled:
    """Bring the order's status, the PaymentIntent and our record into agreement: read, decide, act, record.

    `order` is the order's state from an event, to be recorded too unless a newer one is. `republish` repeats the event
    of a state that Orders has not answered yet. Raises PaymentNotFound, Contention, and the errors of `StripeGateway`;
    nothing has been written then, so a retry is safe.
    """
    payment = store.payment(order_id)
    if payment is None or payment.stripe_id is None:
        raise PaymentNotFound
    return _settle(store, stripe, payment, payment.stripe_id, order=order, republish=republish)


def settle_stalled(store: PaymentStore, stripe: StripeGateway, order_id: OrderID) -> bool:
    """Settle a due payment, and repeat the event that Orders has not answered; not if it has changed since it was due.

    Returns whether this call wrote a change or published an event. Raises the errors of `settle`.
    """
    payment = store.payment(order_id)
    if payment is None or payment.stripe_id is None or not payment.is_stalled(clock.now()):
        return False
    try:
        return _settle(store, stripe, payment, payment.stripe_id, republish=True).acted
    except VersionConflict:
        return settle(store, stripe, order_id, republish=True).acted


def _settle(
    store: PaymentStore,
    stripe: StripeGateway,
    recorded: Payment,
    stripe_id: str,
    *,
    order: PayableOrder | None = None,
    republish: bool = False,
) -> Settled:
    """Settle a payment that was just read: the PaymentIntent must be read after the order. Raises VersionConflict."""
    payment = recorded.with_order(order) if order else recorded
    intent = _capture_if_due(stripe, payment) or stripe.retrieve(stripe_id)
    action = payment.required_action(intent, clock.now())
    if action:
        intent = _perform(stripe, payment, action, intent)
    after, event_type = payment.observe(intent, now=clock.now(), republish=republish)
    if after.refund_status is RefundStatus.PENDING:
        count("RefundsPending")
    if after == recorded and event_type is None:
        return Settled(recorded, acted=False)
    return Settled(_record(store, recorded, after, event_type), acted=True)


def reconcile_intent(
    store: PaymentStore,
    stripe: StripeGateway,
    stripe_id: str,
    order_id: OrderID | None = None,
    *,
    declined_charge: str | None = None,
    is_capture: bool = False,
) -> bool:
    """Settle the payment of a PaymentIntent whose state may have changed at Stripe.

    With the `order_id` from Stripe's event the payment is read first, and then the PaymentIntent, once; not at all if
    the event reports a capture (`is_capture`) that is recorded. An orphan PaymentIntent is voided or refunded. Ignores
    PaymentIntents of other stages or of unknown origin. Returns whether anything was written, published, voided or
    refunded. Raises NotRecordedYet if the PaymentIntent is ours and may still be recorded. `declined_charge` is the
    charge that the event reports as declined.
    """
    recorded = store.payment(order_id) if order_id else None
    if recorded and recorded.stripe_id == stripe_id:
        if is_capture and recorded.has_recorded_capture_of(stripe_id):
            return False
        if declined_charge:
            recorded = record_decline(store, recorded.order.id, declined_charge)
        try:
            return _settle(store, stripe, recorded, stripe_id).acted
        except VersionConflict:
            return settle(store, stripe, recorded.order.id).acted
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
    return _release_orphan(stripe, payment, intent)


def _release_orphan(stripe: StripeGateway, payment: Payment | None, intent: Intent) -> bool:
    """Void or refund an orphan PaymentIntent; returns whether it held money.

    Idempotent, and safe to run concurrently with `_open`: raises NotRecordedYet while the PaymentIntent may still be
    recorded. Raises StripeUnavailable if Stripe refuses to void it: no record would lead to it again.
    """
    match action_for_unrecorded(payment, intent, clock.now()):
        case RequiredAction.VOID:
            if not _void(stripe, intent.id) and stripe.retrieve(intent.id).status is intent.status:
                raise StripeUnavailable("Stripe refuses to cancel an orphan PaymentIntent; try again")
            return intent.status is IntentStatus.AUTHORIZED
        case RequiredAction.REFUND:
            logger.warning("refunding an orphan PaymentIntent", stripe_id=intent.id)
            return _refund(stripe, intent.id)
        case _:
            if intent.holds_money():
                # Disputed: the bank decides. Or the order is paid and its payment record was lost in a restore.
                logger.warning("not refunding an orphan PaymentIntent that holds money", stripe_id=intent.id)
            _report_failed_refund(intent)
            return False


def _open(store: PaymentStore, stripe: StripeGateway, payment: Payment, *, is_complete: bool) -> tuple[Payment, bool]:
    """Create a PaymentIntent and record it, if the order still takes payments and has none; else cancel it.

    `is_complete`: opening the payment completes the request. Returns the payment and whether this PaymentIntent is the
    recorded one. Raises OrderCancelled, OrderExpired, PaymentOver, Contention.
    """
    intent = stripe.create(payment.order)

    @retry_on_conflict(attempts=MAX_ATTEMPTS)
    def record() -> tuple[Payment, bool]:
        nonlocal payment
        if payment.stripe_id is not None or payment.order.status is OrderStatus.CANCELLED:
            _void(stripe, intent.id)
            payment.check_can_be_started(clock.now())
            return payment, False
        try:
            opened = store.replace(payment, payment.opened(PaymentID(new_id()), intent))
            store.commit(opened if is_complete else None)
        except VersionConflict:
            payment = store.payment(payment.order.id) or payment
            if payment.stripe_id == intent.id:  # this write took effect, and its response was lost
                return payment, True
            raise
        return opened, True

    try:
        return record()
    except VersionConflict:
        _void(stripe, intent.id)
        raise


def _confirm(store: PaymentStore, stripe: StripeGateway, payment: Payment, token: str) -> Payment:
    assert payment.stripe_id is not None  # noqa: S101  # it was opened
    attempt = new_attempt(payment)
    payment = begin_attempt(store, payment, attempt)
    try:
        intent = _confirm_at_stripe(store, stripe, payment.stripe_id or "", token, attempt)
    except CardDeclined:
        raise
    except Exception:
        end_attempt(store, attempt)
        raise
    after, event_type = payment.without_attempt(attempt.id).observe(intent, now=clock.now())
    store.count_declines(attempt.user_id, attempt.began, -1)
    try:  # with 3-D Secure nothing else has changed: the browser continues with the client secret
        current = _record(store, payment, after, event_type, is_complete=after.has_funds())
    except VersionConflict:
        end_attempt(store, attempt)
        current = settle(store, stripe, payment.order.id).payment
    if not current.has_funds():
        current.check_can_be_started(clock.now())
    return current


def _confirm_at_stripe(
    store: PaymentStore, stripe: StripeGateway, stripe_id: str, token: str, attempt: Attempt
) -> Intent:
    """Confirm the PaymentIntent and return it; records a decline. Raises CardDeclined, BadToken, StripeUnavailable."""
    try:
        return stripe.confirm(stripe_id, token)
    except WrongState:
        return stripe.retrieve(stripe_id)
    except CardDeclined as declined:
        if record_decline(store, attempt.order_id, declined.charge_id or attempt.id, attempt).is_stopped:
            settle(store, stripe, attempt.order_id)
        raise


def _capture_if_due(stripe: StripeGateway, payment: Payment) -> Intent | None:
    """Capture a payment that is recorded as authorised without reading its PaymentIntent first, which saves a call.

    Returns the captured PaymentIntent; None if no capture is due or the PaymentIntent does not allow it.
    """
    if not payment.is_due() or payment.stripe_id is None:
        return None
    try:
        return stripe.capture(payment.stripe_id)
    except WrongState:
        logger.info("PaymentIntent not capturable; reading its state", stripe_id=payment.stripe_id)
        return None


def _perform(stripe: StripeGateway, payment: Payment, action: RequiredAction, intent: Intent) -> Intent:
    """Perform the action at Stripe and return the resulting PaymentIntent."""
    try:
        match action:
            case RequiredAction.CAPTURE:
                return stripe.capture(intent.id)
            case RequiredAction.VOID:
                return stripe.cancel(intent.id)
            case RequiredAction.REFUND:
                return stripe.refund(intent.id)
    except WrongState as refusal:
        # A concurrent call came first, or an earlier attempt had succeeded: continue with the actual state.
        logger.warning("Stripe refused an action", action=action, stripe_id=intent.id, reason=str(refusal))
        intent = stripe.retrieve(intent.id)
        if action is RequiredAction.REFUND:
            return intent.with_refused_refund()
        following = payment.action_after_refusal(action, intent) if refusal.is_final else None
        return _perform(stripe, payment, following, intent) if following else intent


def _void(stripe: StripeGateway, stripe_id: str) -> bool:
    try:
        stripe.cancel(stripe_id)
    except WrongState as refusal:
        logger.info(
            "PaymentIntent not voided: it has ended, or Stripe refuses", stripe_id=stripe_id, reason=str(refusal)
        )
        return False
    return True


def _refund(stripe: StripeGateway, stripe_id: str) -> bool:
    try:
        stripe.refund(stripe_id)
    except WrongState as refusal:
        logger.warning("Stripe refused a refund", stripe_id=stripe_id, reason=str(refusal))
        _report_failed_refund(stripe.retrieve(stripe_id).with_refused_refund())
        return False
    return True


def _report_failed_refund(intent: Intent | Payment) -> None:
    """Count a failed refund, which only an operator can repair."""
    if intent.refund_status is RefundStatus.FAILED:
        stripe_id = intent.id if isinstance(intent, Intent) else intent.stripe_id
        logger.error("a refund has failed: return the money by hand", stripe_id=stripe_id)
        count("RefundsFailed")


def _record(
    store: PaymentStore, before: Payment, after: Payment, event_type: EventType | None, *, is_complete: bool = False
) -> Payment:
    """Record the state observed at Stripe, and count captured money once. Raises VersionConflict.

    `is_complete`: the new state completes the request.
    """
    stored = store.replace(before, after, event_type)
    store.commit(stored if is_complete else None)
    if stored.refund_status is not before.refund_status:
        _report_failed_refund(stored)
    if stored.status is PaymentStatus.CAPTURED and before.status is not PaymentStatus.CAPTURED:
        order = stored.order
        count("MoneyCaptured", float(format_amount(order.amount, CURRENCIES[order.currency])))
    return stored


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def _record_order(
    store: PaymentStore, order: PayableOrder, *, sale: Sale | None = None, payout_hold: timedelta = timedelta()
) -> Payment:
    """Record the order's state; one older than the recorded state changes nothing. Returns the payment.

    If the order has completed, the seller's earnings from this `sale` are recorded in the same transaction.
    """
    before = store.payment(order.id)
    payment = before.with_order(order) if before else Payment(order=order)
    if payment == before:
        return payment
    if before:
        payment = store.replace(before, payment)
    else:
        store.insert(payment)
    if sale and order.has_completed():
        _record_earning(store, sale, order, payout_hold)
    store.commit()
    is_completed = order.status is OrderStatus.COMPLETED and (before is None or before.order.status is not order.status)
    if is_completed and payment.paid_at:
        measure("PaymentToTicket", (clock.now() - payment.paid_at).total_seconds())
    return payment


def _record_earning(store: PaymentStore, sale: Sale, order: PayableOrder, hold: timedelta) -> None:
    """Add the seller's earnings from an order, or the order's newer state in them."""
    before, now = EarningStore(store.table).earning(sale.order_id), clock.now()
    after = before.with_order(order, now) if before else earned(sale, order, now=now, hold=hold)
    if after != before:
        _, earning, seller = written(before, after)
        store.add(earning, seller)


def _find(store: PaymentStore, user_id: UserID, order_id: str) -> Payment:
    payment = store.payment(OrderID(order_id)) if is_id(order_id) else None
    if payment is None or payment.order.user_id != user_id:
        raise OrderNotFound(is_recent=payment is None and is_id(order_id) and is_recent(order_id))
    return payment
