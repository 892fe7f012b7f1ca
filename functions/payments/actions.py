"""What can be done with payments.

`settle` is the whole saga: read the order's status and Stripe's PaymentIntent, do what the one asks of the other, write
what came of it together with the event that tells of it. Buyers, webhooks, Orders' events and the reconciler all end
there, so that whichever of two things comes second acts on both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from functions.payments.payment import (
    Duty,
    Intent,
    IntentStatus,
    OrderNotFound,
    OrderStatus,
    Payment,
    PaymentNotFound,
    PaymentsNotConfigured,
    Status,
    StripeUnavailable,
    Telling,
    duty_of_unrecorded,
)
from functions.payments.store import PaymentChanged, PaymentStore
from functions.payments.stripe_gateway import Gateway, IntentMissing, WrongState
from shared import clock
from shared.events import OrderAwaitingPayment, OrderCancelled, OrderCompleted, OrderEvent
from shared.ids import OrderID, PaymentID, UserID, is_id, new_id
from shared.money import CURRENCIES, format_amount
from shared.patience import is_young, wait_for
from shared.table import Busy, Write
from shared.telemetry import count, logger, measure

LOOKS = 6  # writes that may come in between before the message or the caller is asked to come again
READ_EVERY = timedelta(seconds=2)

type Receipt = Callable[[Payment], Write | None]


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` left: the payment as it is now, and whether this call changed or told anything."""

    payment: Payment
    acted: bool


def start(
    store: PaymentStore, *, user_id: UserID, order_id: str, token: str | None, receipt: Receipt
) -> tuple[Payment, bool]:
    """Start the order's payment and, with a token, authorise it; the payment, and whether this call did anything.

    Raises OrderNotFound, OrderCancelled, OrderExpired, PaymentOver, BadToken, CardDeclined, StripeUnavailable,
    PaymentsNotConfigured.
    """
    payment = _find(store, user_id, order_id)
    if payment.status in (Status.AUTHORIZED, Status.CAPTURED):
        return payment, False
    payment.check_can_be_started(clock.now())
    stripe = Gateway()
    opened = payment.stripe_id is None
    if opened:
        payment = _open(store, stripe, payment, receipt if token is None else _no_receipt)
    if token is None:
        return payment, opened
    payment.check_can_be_started(clock.now())
    return _confirm(store, stripe, payment, token, receipt), True


def look(store: PaymentStore, *, user_id: UserID, order_id: str) -> Payment:
    """The order's payment; while it is open, read again from Stripe, every 2 seconds at most.

    Raises OrderNotFound, PaymentNotFound. Where Stripe does not answer it shows what is known.
    """
    payment = _find(store, user_id, order_id)
    if payment.stripe_id is None:
        raise PaymentNotFound
    if payment.status is Status.OPEN and store.claim_read(payment.order.id, READ_EVERY):
        try:
            return settle(store, Gateway(), payment.order.id).payment
        except (StripeUnavailable, PaymentsNotConfigured, IntentMissing) as error:
            logger.warning("showing a payment as it was", order_id=payment.order.id, reason=str(error))
    return payment


def follow_order(store: PaymentStore, event: OrderEvent) -> None:
    """Take over what Orders says, and do what it asks for: capture, void, refund."""
    payment = _keep_order(store, event)
    if payment.stripe_id is None:
        return
    match event:
        case OrderAwaitingPayment():
            settle(store, Gateway(), event.id, tell_again=True)  # asked again, Orders has not had the answer
        case OrderCancelled():
            settle(store, Gateway(), event.id)
        case OrderCompleted() if payment.unanswered():
            settle(store, Gateway(), event.id, tell_again=True)  # money went back before Orders had completed


def settle(store: PaymentStore, stripe: Gateway, order_id: OrderID, *, tell_again: bool = False) -> Settled:
    """Bring the order, its PaymentIntent and what is written of the two into agreement.

    Raises what Stripe's calls raise, PaymentNotFound, and Busy; then nothing is lost, since nothing was written.
    """
    for _ in range(LOOKS):
        payment = store.payment(order_id)
        if payment is None or payment.stripe_id is None:
            raise PaymentNotFound
        intent = _brought_up(stripe, payment, payment.stripe_id)
        after, telling = payment.observe(intent, tell_again=tell_again)
        if after == payment and telling is None:
            return Settled(payment, acted=False)
        try:
            return Settled(_save(store, payment, after, telling), acted=True)
        except PaymentChanged:
            continue
    raise Busy("the payment is changing; try again")


def take_in(store: PaymentStore, stripe: Gateway, stripe_id: str) -> bool:
    """Act on whatever has happened to a PaymentIntent; whether that changed or told anything, or gave money back.

    Ignores PaymentIntents of other stages or of unknown origin. Raises NotRecordedYet for one of ours that may be
    recorded any moment.
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
        # It reads both again, since what is done must rest on a PaymentIntent that is no older than the order.
        return settle(store, stripe, intent.order_id).acted
    return _give_back(stripe, payment, intent)


def _give_back(stripe: Gateway, payment: Payment | None, intent: Intent) -> bool:
    """Release or refund what an unrecorded PaymentIntent of ours holds; whether there was money to give back.

    Safe to repeat, and at the same moment as `_open`: what may still be recorded raises NotRecordedYet.
    """
    match duty_of_unrecorded(payment, intent, clock.now()):
        case Duty.VOID:
            _void(stripe, intent.id)
            return intent.status is IntentStatus.AUTHORIZED
        case Duty.REFUND:
            logger.warning("money of an unrecorded PaymentIntent goes back", stripe_id=intent.id)
            return _refund(stripe, intent.id)
        case _:
            if intent.holds_money():
                # Disputed, and the bank decides; or its order is paid for, and the record of that payment is lost.
                logger.warning("money of an unrecorded PaymentIntent is left where it is", stripe_id=intent.id)
            return False


def _open(store: PaymentStore, stripe: Gateway, payment: Payment, receipt: Receipt) -> Payment:
    """Create the PaymentIntent and record it where none is and the order still takes payments; else cancel it again."""
    intent = stripe.create(payment.order)
    for _ in range(LOOKS):
        after = payment.opened(PaymentID(new_id()), intent)
        try:
            return store.save(payment, after, also=receipt(after))
        except PaymentChanged:
            now = store.payment(payment.order.id)
            if now is None or now.stripe_id == intent.id:
                return now or after  # our own write, whose answer was lost
            payment = now
        if payment.stripe_id is not None or payment.order.status is OrderStatus.CANCELLED:
            _void(stripe, intent.id)
            payment.check_can_be_started(clock.now())
            return payment
    _void(stripe, intent.id)
    raise Busy("the payment is changing; try again")


def _confirm(store: PaymentStore, stripe: Gateway, payment: Payment, token: str, receipt: Receipt) -> Payment:
    assert payment.stripe_id is not None  # noqa: S101  # it was opened
    try:
        intent = stripe.confirm(payment.stripe_id, token)
    except WrongState:
        intent = stripe.retrieve(payment.stripe_id)
    after, telling = payment.observe(intent, tell_again=False)
    if after == payment:
        return payment  # 3-D Secure: the buyer's device goes on with the client secret
    has_funds = after.status in (Status.AUTHORIZED, Status.CAPTURED)
    try:
        now = _save(store, payment, after, telling, receipt(after) if has_funds else None)
    except PaymentChanged:
        now = settle(store, stripe, payment.order.id).payment
    if now.status not in (Status.AUTHORIZED, Status.CAPTURED):
        now.check_can_be_started(clock.now())
    return now


def _brought_up(stripe: Gateway, payment: Payment, stripe_id: str) -> Intent:
    """The PaymentIntent once it is as the order asks. What is due to be captured is captured without a look at it."""
    if payment.is_due():
        try:
            return stripe.capture(stripe_id)
        except WrongState:
            logger.info("a PaymentIntent was not there to be captured", stripe_id=stripe_id)
    return _do_duty(stripe, payment, stripe.retrieve(stripe_id))


def _do_duty(stripe: Gateway, payment: Payment, intent: Intent) -> Intent:
    """Do at Stripe what the order's status asks for; the PaymentIntent as it is then."""
    duty = payment.duty(intent, clock.now())
    try:
        match duty:
            case Duty.CAPTURE:
                return stripe.capture(intent.id)
            case Duty.VOID:
                return stripe.cancel(intent.id)
            case Duty.REFUND:
                return stripe.refund(intent.id)
            case None:
                return intent
    except WrongState:
        # Somebody was faster, or an earlier try had landed: its real state is what counts.
        return stripe.retrieve(intent.id)


def _void(stripe: Gateway, stripe_id: str) -> None:
    try:
        stripe.cancel(stripe_id)
    except WrongState:
        logger.info("a PaymentIntent had ended already", stripe_id=stripe_id)


def _refund(stripe: Gateway, stripe_id: str) -> bool:
    try:
        stripe.refund(stripe_id)
    except WrongState:
        logger.info("a PaymentIntent was refunded or disputed already", stripe_id=stripe_id)
        return False
    return True


def _save(
    store: PaymentStore, before: Payment, after: Payment, telling: Telling | None, also: Write | None = None
) -> Payment:
    """Save what Stripe has shown, and count the money that it says was taken. Raises PaymentChanged."""
    saved = store.save(before, after, telling, also)
    if saved.status is Status.CAPTURED and before.status is not Status.CAPTURED:
        order = saved.order
        count("MoneyCaptured", float(format_amount(order.amount, CURRENCIES[order.currency])))
    return saved


def _keep_order(store: PaymentStore, event: OrderEvent) -> Payment:
    for _ in range(LOOKS):
        try:
            before, payment = store.keep_order(event)
        except PaymentChanged:
            continue
        is_news = before is None or before.order.status is not payment.order.status
        if is_news and payment.order.status is OrderStatus.COMPLETED and payment.paid_at:
            measure("PaymentToTicket", (clock.now() - payment.paid_at).total_seconds())
        return payment
    raise Busy("the payment is changing; try again")


def _find(store: PaymentStore, user_id: UserID, order_id: str) -> Payment:
    payment = wait_for(lambda: store.payment(OrderID(order_id)), order_id) if is_id(order_id) else None
    if payment is None or payment.order.user_id != user_id:
        raise OrderNotFound(young=payment is None and is_id(order_id) and is_young(order_id))
    return payment


def _no_receipt(_payment: Payment) -> None:
    return None
