"""The reconciler: whatever was lost between Stripe, Payments and Orders, money is settled all the same.

On a schedule it settles each payment whose verdict is missing and tells its event again. It reads Stripe's own log for
refunds and disputes whose webhooks never came, and for money in PaymentIntents that are not recorded. What is on its
normal way is left alone: nothing younger than two minutes is touched, and a refund waits for Orders to have said
`cancelled`.

Each run also tells how long the oldest authorisation has waited, for banks let go of one after about 7 days. It does so
even if there is none, so that an alarm hears when the reconciler falls silent.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from functions.payments import actions
from functions.payments.payment import NotRecordedYet, PaymentsNotConfigured, Status
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import Gateway
from shared import clock, settings
from shared.ids import OrderID
from shared.table import Table
from shared.telemetry import count, logger, measure

NORMAL_COURSE = timedelta(minutes=2)
FIRST_LOOK_BACK = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)  # Stripe's log may gain an entry a little late
BY_HAND = ["charge.refunded", "charge.dispute.created", "charge.dispute.closed"]
PAID = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]
MOST_UNDELIVERED = 1000
"""Events of payments that one run looks at, newest first: with the webhook out of order there is one for each purchase,
and Stripe delivers them all once it is back."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the reconciler; Stripe's is in `stripe_gateway`."""

    table_name: str


def handler(_event: dict[str, Any], _context: object) -> None:
    """Entry point, on a schedule."""
    store = PaymentStore(Table(settings.load(Settings).table_name))
    unsettled = list(store.unsettled(clock.now() - NORMAL_COURSE))
    _tell_longest_wait(store, unsettled)
    try:
        stripe = Gateway()
    except PaymentsNotConfigured:
        if unsettled:
            raise
        logger.info("nothing to reconcile: there are no Stripe keys and no payments")
        return
    failures = _settle_unsettled(store, stripe, unsettled) + _read_log(store, stripe)
    if failures:
        raise RuntimeError(f"{failures} payments could not be reconciled; the next run tries them again")


def _tell_longest_wait(store: PaymentStore, unsettled: Iterable[OrderID]) -> None:
    payments = [store.payment(order_id) for order_id in unsettled]
    since = [
        payment.paid_at for payment in payments if payment and payment.paid_at and payment.status is Status.AUTHORIZED
    ]
    measure("OldestAuthorization", (clock.now() - min(since)).total_seconds() if since else 0)


def _settle_unsettled(store: PaymentStore, stripe: Gateway, unsettled: Iterable[OrderID]) -> int:
    failures = 0
    for order_id in unsettled:
        failures += _repair(order_id, partial(_settle, store, stripe, order_id))
    return failures


def _settle(store: PaymentStore, stripe: Gateway, order_id: OrderID) -> bool:
    return actions.settle(store, stripe, order_id, tell_again=True).acted


def _read_log(store: PaymentStore, stripe: Gateway) -> int:
    """Take in what was refunded or disputed at Stripe since the last run, and give back what is nobody's payment.

    The log is read on only if all of it was taken in.
    """
    started = clock.now()
    since = store.log_read_to() or started - FIRST_LOOK_BACK
    failures = 0
    spoken_of = chain(stripe.spoken_of_since(since, BY_HAND), _unrecorded(store, stripe, since))
    for stripe_id in dict.fromkeys(spoken_of):
        failures += _repair(stripe_id, partial(actions.take_in, store, stripe, stripe_id))
    if not failures:
        store.set_log_read_to(started - OVERLAP)
    return failures


def _unrecorded(store: PaymentStore, stripe: Gateway, since: datetime) -> Iterator[str]:
    """PaymentIntents that were authorised or captured and are not recorded, and of which no webhook has told.

    A recorded one is found without Stripe's log, as long as it is unsettled.
    """
    undelivered = islice(stripe.undelivered_since(since, PAID), MOST_UNDELIVERED)
    for order_id, stripe_id in dict.fromkeys(undelivered):
        payment = store.payment(order_id)
        if payment is None or payment.stripe_id != stripe_id:
            yield stripe_id


def _repair(subject: str, settle: Callable[[], bool]) -> int:
    """Settle one payment and count it if there was anything to repair; 1 if it failed, so that the others go on."""
    try:
        if settle():
            logger.warning("repaired a payment", subject=subject)
            count("PaymentsRepaired")
    except NotRecordedYet:
        logger.warning("Stripe knows a PaymentIntent of ours that is not recorded", subject=subject)
    except Exception:
        logger.exception("could not reconcile a payment", subject=subject)
        return 1
    return 0
