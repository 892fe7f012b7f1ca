"""The reconciler: finds payments whose events or webhooks were lost, and queues them for the settler.

It runs on a schedule. Each run reads Stripe's event log first: refunds and disputes, and authorisations that are not
recorded and whose webhooks were not delivered. Then it queues the payments that are due, oldest first: those that are
not settled two minutes after their orders' deadlines. Only they are read, from the index.

A run ends before its timeout, and the next one continues where it ended: in the log after each page, in the payments
after the last one that was queued. Each run also emits the age of the oldest order that is due and may have an
authorisation, because banks release one after about 7 days. It emits 0 if there is none, so that an alarm on missing
data detects a reconciler that does not run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from functions.payments.payment import NORMAL_COURSE, DuePayment, PaymentsNotConfigured, StripeUnavailable
from functions.payments.progress import LogName, LogWindow, Progress
from functions.payments.store import PaymentStore
from functions.payments.stripe_gateway import LogEntry, StripeGateway
from shared import clock, settings
from shared.ids import created_at_millis
from shared.table import Table
from shared.telemetry import count, logger, measure
from shared.work_queue import Remaining, WorkQueue, remaining_time

FIRST_LOOK_BACK = timedelta(hours=1)
OVERLAP = timedelta(minutes=10)  # events may appear late in Stripe's log
BY_HAND = ["charge.refunded", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.closed"]
PAID = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded"]
KEPT_FOR_PAYMENTS = 90.0
"""Seconds of a run that are left to the due payments, however long the log is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the reconciler; those for Stripe are in `stripe_gateway`."""

    table_name: str
    due_queue_url: str


@dataclass(frozen=True, slots=True)
class Log:
    """The events of these types. `undelivered`: only those that no webhook has acknowledged."""

    name: LogName
    types: list[str]
    undelivered: bool = False


LOGS = (Log(LogName.REFUNDS, BY_HAND), Log(LogName.AUTHORISATIONS, PAID, undelivered=True))


def handler(_event: dict[str, Any], context: object) -> None:
    """Run once. Raises StripeUnavailable if a log could not be read; the due payments are queued then, too."""
    env = settings.load(Settings)
    store = PaymentStore(Table(env.table_name))
    due = _find_due(store)
    try:
        stripe = StripeGateway()
    except PaymentsNotConfigured:
        if due:
            raise
        logger.info("nothing to reconcile: no Stripe keys and no due payments")
        return
    run = _Run(store, stripe, WorkQueue(env.due_queue_url), remaining_time(context), store.progress())
    failure = None
    try:
        for log in LOGS:
            run.read(log)
    except StripeUnavailable as error:
        failure = error
    run.queue_due(due)
    if failure:
        raise failure


def _find_due(store: PaymentStore) -> list[DuePayment]:
    """Return the due payments, by their orders' deadlines, and measure the age of the oldest possible authorisation."""
    now = clock.now()
    due = sorted(store.due(now - NORMAL_COURSE), key=lambda each: each.expires_at)
    placed = [clock.from_millis(created_at_millis(each.order_id)) for each in due if not each.awaits_refund]
    measure("OldestAuthorization", (now - min(placed, default=now)).total_seconds())
    return due


@dataclass(slots=True)
class _Run:
    """The progress of this run."""

    store: PaymentStore
    stripe: StripeGateway
    queue: WorkQueue
    remaining: Remaining
    progress: Progress

    def read(self, log: Log) -> None:
        """Queue the PaymentIntents in the log, and note after each page how far it was read.

        An entry that fails later is retried by the queue, so it never stops the log.
        """
        now = clock.now()
        window = self.progress.logs.get(log.name, LogWindow(now - FIRST_LOOK_BACK)).opened(now, overlap=OVERLAP)
        for page in self.stripe.log(log.types, since=window.since, until=window.until, undelivered=log.undelivered):
            self.queue.send({"stripeID": each} for each in self._unrecorded(page.entries))
            window = window.read_to(page.reached)
            self.progress = self.progress.with_log(log.name, window)
            if not page.has_more:
                break
            self.store.save_progress(self.progress)
            if self.remaining() < KEPT_FOR_PAYMENTS:
                logger.warning("the log continues in the next run", log=log.name, reached=str(page.reached))
                return
        self.progress = self.progress.with_log(log.name, window.closed())

    def queue_due(self, due: list[DuePayment]) -> None:
        """Queue the due payments from where the last run ended; from the oldest if that run reached the newest."""
        since = self.progress.due_from
        waiting = [each for each in due if since is None or each.expires_at >= since] or due
        queued = self.queue.fill(({"orderID": each.order_id} for each in waiting), self.remaining)
        left = waiting[queued:]
        self.progress = replace(self.progress, due_from=left[0].expires_at if left else None)
        self.store.save_progress(self.progress)
        count("PaymentsDue", len(due))
        logger.info("due payments queued", due=len(due), queued=queued, left=len(left))

    def _unrecorded(self, entries: Iterable[LogEntry]) -> Iterator[str]:
        """Yield the PaymentIntents whose state may have changed.

        While webhooks are down there is an undelivered event for each purchase; those that are recorded are left out.
        """
        for entry in dict.fromkeys(entries):
            payment = self.store.payment(entry.order_id) if entry.order_id else None
            if payment is None or not payment.has_recorded_funds_of(entry.stripe_id):
                yield entry.stripe_id
