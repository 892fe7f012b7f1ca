"""The use cases of payouts: a look at the earnings from one order, and a look at a seller whose earnings wait.

A look reads the record, then Stripe, and takes one step. What it begins is written down before Stripe is called, and
the answer afterwards, so that a process that dies at any point leaves what the next look needs
([decision 98](../../docs/adr/0098-payout-protocol.md)).
"""

from datetime import datetime

from functions.payments.account_store import AccountStore
from functions.payments.earning_store import SELLER_LOOK, EarningStore
from functions.payments.earnings import AtStripe, Earning, OperationKind, Recipient, Step, next_step
from functions.payments.payment import PaymentNotFound
from functions.payments.payout_gateway import AccountMissing, PayoutGateway
from functions.payments.store import PaymentStore
from shared import clock
from shared.ids import OrderID, UserID
from shared.money import CURRENCIES, format_amount
from shared.table import ConditionFailed
from shared.telemetry import count, logger
from shared.unit_of_work import VersionConflict, retry_on_conflict
from shared.work_queue import WorkQueue

WOKEN = 1000
"""How many earnings of one seller a look at the seller queues; the next look queues more."""


def look(store: EarningStore, stripe: PayoutGateway, order_id: OrderID) -> None:
    """Look at the earnings from an order, and take the step that is due; not if they have changed meanwhile.

    Raises PaymentNotFound, Contention, and the errors of `PayoutGateway`; the next look then continues.
    """
    before, now = store.earning(order_id), clock.now()
    if before is None or before.look_at is None or now < before.look_at:
        return
    if before.is_overdue(now):
        logger.error("earnings were due a day ago and are not sent", order_id=order_id)
        count("PayoutsOverdue")
    payment = PaymentStore(store.table).payment(order_id)
    if payment is None or payment.stripe_id is None:
        raise PaymentNotFound
    at_stripe = stripe.money(payment.stripe_id, order_id)
    step = next_step(before, at_stripe, _recipient(store, stripe, before, now), clock.now())
    try:
        begun = _record(store, before, step)
    except VersionConflict:
        logger.info("the earnings have changed meanwhile; another look follows", order_id=order_id)
        return
    if step.calls:
        _execute(store, stripe, begun, at_stripe)


def look_at_seller(store: EarningStore, stripe: PayoutGateway, queue: WorkQueue, seller_id: UserID) -> None:
    """Queue looks at the earnings of a seller that wait, if money can be sent now; none while the workers are busy.

    Raises NotQueued, and the errors of `PayoutGateway`; the next look then continues.
    """
    seller = store.seller(seller_id)
    if seller.look_at is None:
        return
    recipient = _read_recipient(store, stripe, seller_id) if seller.waiting else None
    if recipient and recipient.can_receive and not recipient.owes:
        if not queue.is_busy():  # else it would queue the same ones again
            queue.send({"orderID": each} for each in store.waiting(seller_id, limit=WOKEN))
        return
    try:
        store.look_at_seller(seller, clock.now() + SELLER_LOOK if seller.waiting else None)
    except ConditionFailed:
        logger.info("the seller's earnings have changed meanwhile; another look follows", seller_id=seller_id)


def _recipient(store: EarningStore, stripe: PayoutGateway, earning: Earning, now: datetime) -> Recipient | None:
    return _read_recipient(store, stripe, earning.sale.seller_id) if earning.awaits_transfer(now) else None


def _read_recipient(store: EarningStore, stripe: PayoutGateway, seller_id: UserID) -> Recipient | None:
    """Return the seller's account as Stripe shows it now; None if there is none, or if it is not the seller's."""
    account = AccountStore(store.table).account(seller_id)
    if account is None or account.stripe_id is None or account.is_closed:
        return None
    try:
        view = stripe.account(account.stripe_id)
    except AccountMissing:
        return None
    if (view.stage, view.user_id) != (stripe.stage, seller_id):
        return None
    owes = store.seller(seller_id).reversing > 0
    return Recipient(account_id=view.id, can_receive=view.can_receive, owes=owes)


def _record(store: EarningStore, before: Earning, step: Step) -> Earning:
    """Write the step before Stripe is called; nothing if nothing has changed. Raises VersionConflict."""
    if step.after == before:
        return before
    is_sending = step.calls and not step.after.is_reversing()
    stored = store.replace(before, step.after, unless_reversing=is_sending)
    store.commit()
    return stored


def _execute(store: EarningStore, stripe: PayoutGateway, begun: Earning, at_stripe: AtStripe) -> None:
    """Let Stripe make the open operation, and record a final answer. Raises StripeUnavailable without one."""
    operation = begun.operation
    assert operation  # noqa: S101  # for the types: a step that calls has one
    answer = stripe.execute(operation, begun.sale, at_stripe.intent)

    @retry_on_conflict()
    def record() -> None:
        before, now = store.earning(begun.sale.order_id), clock.now()
        if before is None:
            return
        after = before.answered(operation, answer, now) if answer else before.made(operation, now)
        if after != before:
            store.replace(before, after)
            store.commit()

    record()
    if answer and operation.kind is OperationKind.REVERSAL:
        logger.error("a reversal is pending: the account may lack the money", order_id=begun.sale.order_id)
        count("ReversalsPending")
    if answer is None and operation.kind is OperationKind.TRANSFER:
        count("MoneyPaidOut", float(format_amount(operation.amount, CURRENCIES[begun.sale.currency])))
