"""The reconciler: settles payments whose events or webhooks were lost. Runs on a schedule.

Each run settles the unsettled payments and publishes their events again. It reads Stripe's event log for refunds and
disputes whose webhooks were not delivered, and for orphan PaymentIntents that hold money. Payments changed within the
last two minutes are skipped, as their normal processing may not have ended. A refund still requires that Orders has
cancelled the order.

Each run also emits the age of the oldest authorisation, because banks release one after about 7 days. It emits 0 if
there is none, so that an alarm on missing data detects a reconciler that does not run.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from functions.payments import actions
from functions.payments.payment import NotRecordedYet, PaymentsNotConfigured, PaymentStatus
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import StripeGateway
from shared import clock, settings
from shared.ids import OrderID
from shared.table import Table
from shared.telemetry import count, logger, measure

NORMAL_COURSE = timedelta(minutes=2)
FIRST_LOOK_BACK = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)  # events may appear late in Stripe's log
BY_HAND = ["charge.refunded", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.closed"]
PAID = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]
MOST_UNDELIVERED = 1000
"""Maximum number of undelivered events read in one run, newest first. While the webhook is down there is one for each
purchase; Stripe delivers them all once it is back."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the reconciler; those for Stripe are in `stripe_gateway`."""

    table_name: str


def handler(_event: dict[str, Any], _context: object) -> None:
    """Run once. Raises RuntimeError if a payment could not be reconciled; the others have been processed."""
    store = PaymentStore(Table(settings.load(Settings).table_name))
    unsettled = list(store.unsettled(clock.now() - NORMAL_COURSE))
    _measure_longest_wait(store, unsettled)
    try:
        stripe = StripeGateway()
    except PaymentsNotConfigured:
        if unsettled:
            raise
        logger.info("nothing to reconcile: no Stripe keys and no unsettled payments")
        return
    failures = _settle_unsettled(store, stripe, unsettled) + _read_log(store, stripe)
    if failures:
        raise RuntimeError(f"{failures} payments could not be reconciled; the next run will retry them")


def _measure_longest_wait(store: PaymentStore, unsettled: Iterable[OrderID]) -> None:
    payments = [store.payment(order_id) for order_id in unsettled]
    since = [
        payment.paid_at
        for payment in payments
        if payment and payment.paid_at and payment.status is PaymentStatus.AUTHORIZED
    ]
    measure("OldestAuthorization", (clock.now() - min(since)).total_seconds() if since else 0)


def _settle_unsettled(store: PaymentStore, stripe: StripeGateway, unsettled: Iterable[OrderID]) -> int:
    failures = 0
    for order_id in unsettled:
        failures += _repair(order_id, partial(_settle, store, stripe, order_id))
    return failures


def _settle(store: PaymentStore, stripe: StripeGateway, order_id: OrderID) -> bool:
    return actions.settle(store, stripe, order_id, republish=True).acted


def _read_log(store: PaymentStore, stripe: StripeGateway) -> int:
    """Process refunds, disputes and orphan PaymentIntents in Stripe's event log since the last run.

    Returns the number of failures. The position advances only if there were none.
    """
    started = clock.now()
    since = store.log_read_to() or started - FIRST_LOOK_BACK
    failures = 0
    spoken_of = chain(stripe.intents_changed_since(since, BY_HAND), _unrecorded(store, stripe, since))
    for stripe_id in dict.fromkeys(spoken_of):
        failures += _repair(stripe_id, partial(actions.reconcile_intent, store, stripe, stripe_id))
    if not failures:
        store.set_log_read_to(started - OVERLAP)
    return failures


def _unrecorded(store: PaymentStore, stripe: StripeGateway, since: datetime) -> Iterator[str]:
    """Yield PaymentIntents that were authorised or captured, are not recorded, and whose webhook was not delivered.

    Recorded ones are found through the index of unsettled payments instead.
    """
    undelivered = islice(stripe.undelivered_since(since, PAID), MOST_UNDELIVERED)
    for order_id, stripe_id in dict.fromkeys(undelivered):
        payment = store.payment(order_id)
        if payment is None or payment.stripe_id != stripe_id:
            yield stripe_id


def _repair(subject: str, settle: Callable[[], bool]) -> int:
    """Settle one payment, and count it if it needed a repair.

    Logs any error so that the run continues with the next payment. Returns the number of failures: 0 or 1.
    """
    try:
        if settle():
            logger.warning("repaired a payment", subject=subject)
            count("PaymentsRepaired")
    except NotRecordedYet:
        logger.warning("a PaymentIntent of ours is not recorded yet", subject=subject)
    except Exception:
        logger.exception("could not reconcile a payment", subject=subject)
        return 1
    return 0
