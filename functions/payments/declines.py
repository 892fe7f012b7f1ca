"""Declined cards, counted for each order and for each buyer and day, so that nobody can test stolen cards here.

An attempt with a token is counted before Stripe is called, so that concurrent attempts are all counted, and stops
counting unless the card is declined. A decline in the browser is counted by Stripe's webhook. Both name the declined
charge, which is counted once. Each count is in the transaction that changes the payment.
"""

from dataclasses import dataclass
from datetime import datetime

from functions.payments.payment import MAX_DECLINES_A_DAY, Payment, TooManyDeclinesToday, end_of_day
from functions.payments.store import PaymentStore
from shared import clock
from shared.ids import OrderID, UserID, new_id
from shared.table import Contention
from shared.telemetry import logger
from shared.unit_of_work import retry_on_conflict

MAX_ATTEMPTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to confirm a payment with a token. `began` determines the day to which it counts."""

    id: str
    order_id: OrderID
    user_id: UserID
    began: datetime


def check_buyer(store: PaymentStore, user_id: UserID) -> None:
    """Raise TooManyDeclinesToday if the buyer has reached the limit of the day (UTC)."""
    now = clock.now()
    if store.declines(user_id, now) >= MAX_DECLINES_A_DAY:
        raise TooManyDeclinesToday(end_of_day(now) - now)


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def begin_attempt(store: PaymentStore, payment: Payment, attempt: Attempt) -> Payment:
    """Count an attempt before it is made; returns the payment with it.

    Condition: neither limit is reached. Raises TooManyDeclines, TooManyDeclinesToday, Contention and the other errors
    of `check_can_be_started`.
    """
    payment = store.payment(attempt.order_id) or payment
    if attempt.id in payment.attempts:  # an earlier call took effect, and its response was lost
        return payment
    payment.check_can_be_started(clock.now())
    check_buyer(store, attempt.user_id)
    if not payment.may_be_attempted():
        raise Contention("other attempts to pay for this order are in progress; try again")
    begun = store.replace(payment, payment.with_attempt(attempt.id))
    store.count_declines(attempt.user_id, attempt.began, 1, limit=MAX_DECLINES_A_DAY)
    store.commit()
    return begun


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def end_attempt(store: PaymentStore, attempt: Attempt) -> None:
    """Stop counting an attempt that was not declined. One that has ended already changes nothing."""
    payment = store.payment(attempt.order_id)
    if payment is None or attempt.id not in payment.attempts:
        return
    store.replace(payment, payment.without_attempt(attempt.id))
    store.count_declines(attempt.user_id, attempt.began, -1)
    store.commit()


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def record_decline(store: PaymentStore, order_id: OrderID, charge_id: str, attempt: Attempt | None = None) -> Payment:
    """Record a declined charge once, in place of its attempt; returns the payment.

    The payment is stopped once either limit is reached.
    """
    payment = store.payment(order_id)
    assert payment is not None  # noqa: S101  # the caller has read it, and no payment is deleted
    is_new, is_counted = charge_id not in payment.declines, attempt is not None and attempt.id in payment.attempts
    if not is_new and not is_counted:
        return payment
    began = attempt.began if attempt else clock.now()
    change = int(is_new) - int(is_counted)
    today = store.declines(payment.order.user_id, began) + change
    after = payment.with_decline(charge_id, attempt_id=attempt.id if attempt else None, declines_today=today)
    stored = store.replace(payment, after)
    if change:
        store.count_declines(payment.order.user_id, began, change)
    store.commit()
    if stored.is_stopped and not payment.is_stopped:
        logger.warning("too many declined cards: the payment ends", order_id=order_id, today=today)
    return stored


def new_attempt(payment: Payment) -> Attempt:
    """Return an attempt that begins now."""
    return Attempt(id=new_id(), order_id=payment.order.id, user_id=payment.order.user_id, began=clock.now())
