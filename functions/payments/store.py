"""The Payments table: one item for each order and its payment, and the progress of the reconciler.

    pk order#<orderID>     the copy of the order, and its payment with its outbox entry
    index unsettled        unsettledPartition, expiresAt     payments that are not settled, with `awaitsRefund`
    pk declines#<userID>#<date>   how many of a buyer's charges were declined on a day (UTC); expires by TTL
    pk reconciler          the progress of the reconciler: `Progress`

Every write of a payment is conditional on the item's revision, or on the item's absence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from functions.payments.payment import (
    DuePayment,
    EventType,
    OrderStatus,
    PayableOrder,
    Payment,
    PaymentStatus,
    RefundStatus,
    end_of_day,
)
from functions.payments.progress import LogName, LogWindow, Progress
from shared import clock, events
from shared.ids import OrderID, PaymentID, UserID, partition
from shared.money import CURRENCIES, NOTHING, MinorUnits, to_minor_units
from shared.table import ConditionFailed, Item, Put, Update
from shared.unit_of_work import UnitOfWork

UNSETTLED_PARTITIONS = 8  # enough for 8,000 writes a second to the index of unsettled payments
RECONCILER = {"pk": "reconciler"}


class PaymentStore(UnitOfWork[Payment]):
    """Reads and writes the items of Payments."""

    def payment(self, order_id: OrderID) -> Payment | None:
        """Return the order with its payment, by a consistent read; None if Payments does not know the order."""
        item = self.table.get(_key(order_id), consistent=True)
        return _to_payment(item) if item else None

    def payments(self, order_ids: Iterable[OrderID]) -> Iterator[Payment]:
        """Iterate over these orders with their payments. Eventually consistent."""
        return map(_to_payment, self.table.get_all(map(_key, order_ids)))

    def insert(self, payment: Payment) -> None:
        """Add the item of an order that has no payment yet. Condition: Payments does not know the order."""
        inserted = replace(payment, updated_at=clock.now())
        self.add(Put(item=_to_item(inserted), condition="attribute_not_exists(pk)"))

    def replace(self, before: Payment, after: Payment, event_type: EventType | None = None) -> Payment:
        """Add the payment's next state with its outbox entry, and return the payment as it will be stored.

        The revision rises by one; so does the version if an event is published. Condition: the item has the revision of
        `before`.
        """
        stored = replace(after, revision=before.revision + 1, updated_at=clock.now())
        if event_type:
            stored = replace(stored, version=before.version + 1)
            stored = replace(stored, last_event=events.outbox_entry(_to_event(stored, event_type)))
        outbox = {"event" if event_type else "lastEvent": stored.last_event}
        self.add(
            Put(item=_to_item(stored) | outbox, condition="#revision = :revision", values={"revision": before.revision})
        )
        return stored

    def declines(self, user_id: UserID, day: datetime) -> int:
        """Return how many of the buyer's charges were declined on this day (UTC), by a consistent read."""
        item = self.table.get(_declines_key(user_id, day), consistent=True)
        return int(item["count"]) if item else 0

    def count_declines(self, user_id: UserID, day: datetime, change: int, *, limit: int | None = None) -> None:
        """Add a change of the buyer's declines of a day. Condition: the number is below `limit`, if there is one."""
        self.add(
            Update(
                key=_declines_key(user_id, day),
                change="ADD #count :change SET #ttl = :ttl",
                condition=None if limit is None else "attribute_not_exists(#count) OR #count < :limit",
                values={"change": change, "ttl": int((end_of_day(day) + timedelta(days=1)).timestamp())}
                | ({} if limit is None else {"limit": limit}),
            )
        )

    def claim_read(self, order_id: OrderID, every: timedelta) -> bool:
        """Claim the next read from Stripe for this payment; returns whether the caller may read now.

        Condition: the last claim is at least `every` ago. Limits concurrent polls to one read per interval.
        """
        now = clock.now()
        try:
            self.table.write(
                Update(
                    key=_key(order_id),
                    change="SET readAt = :now",
                    condition="attribute_not_exists(readAt) OR readAt <= :before",
                    values={"now": clock.to_millis(now), "before": clock.to_millis(now - every)},
                )
            )
        except ConditionFailed:
            return False
        return True

    def due(self, deadline: datetime) -> Iterator[DuePayment]:
        """Yield the unsettled payments of orders whose deadline is before the given instant.

        Reads the index alone, and of it nothing of orders that have time left. A deadline never changes, so the steps
        of a purchase change no entry.
        """
        for number in range(UNSETTLED_PARTITIONS):
            entries = self.table.query(
                "unsettledPartition = :partition AND expiresAt < :deadline",
                index="unsettled",
                partition=str(number),
                deadline=clock.to_millis(deadline),
            )
            for entry in entries:
                yield _to_due(entry)

    def progress(self) -> Progress:
        """Return the progress of the reconciler. Before 2026-11-28 both logs had one position, `logReadTo`."""
        item = self.table.get(RECONCILER) or {}
        shared = {"since": item["logReadTo"]} if "logReadTo" in item else None
        windows = {name: item.get(name, shared) for name in LogName}
        return Progress(
            logs={name: _to_window(window) for name, window in windows.items() if window},
            due_from=_to_instant(item.get("dueFrom")),
        )

    def save_progress(self, progress: Progress) -> None:
        """Save the progress of the reconciler. Unconditional: reading a log or queueing a payment twice is harmless."""
        windows = {name: _from_window(window) for name, window in progress.logs.items()}
        self.table.write(Put(item=RECONCILER | {"dueFrom": _to_millis(progress.due_from)} | windows))


def _declines_key(user_id: UserID, day: datetime) -> dict[str, str]:
    return {"pk": f"declines#{user_id}#{day:%Y-%m-%d}"}


def _key(order_id: OrderID) -> dict[str, str]:
    return {"pk": f"order#{order_id}"}


def to_payable_order(event: events.OrderEvent) -> PayableOrder:
    """Convert an event of Orders to Payments' copy of the order."""
    currency = CURRENCIES[event.ticket.currency]
    return PayableOrder(
        id=event.id,
        user_id=event.userID,
        status=OrderStatus(event.status),
        expires_at=event.expiresAt,
        amount=to_minor_units(event.ticket.price, currency),
        currency=currency.code,
        version=event.version,
        refunded=to_minor_units(event.refund.amount, currency) if event.refund else NOTHING,
    )


def _to_item(payment: Payment) -> Item:
    order = payment.order
    return _key(order.id) | {
        "orderID": order.id,
        "userID": order.user_id,
        "orderStatus": order.status,
        "expiresAt": clock.to_millis(order.expires_at),
        "amount": order.amount,
        "currency": order.currency,
        "orderVersion": order.version,
        "orderRefunded": order.refunded or None,
        "id": payment.id,
        "stripeID": payment.stripe_id,
        "clientSecret": payment.client_secret,
        "status": payment.status,
        "reason": payment.reason,
        "refunded": payment.refunded or None,
        "refundStatus": payment.refund_status,
        "declines": dict.fromkeys(payment.declines, True) or None,
        "attempts": dict.fromkeys(payment.attempts, True) or None,
        "stopped": payment.is_stopped or None,
        "paidAt": _to_millis(payment.paid_at),
        "version": payment.version,
        "revision": payment.revision,
        "updatedAt": _to_millis(payment.updated_at),
        "unsettledPartition": None if payment.is_settled() else partition(order.id, UNSETTLED_PARTITIONS),
        "awaitsRefund": payment.awaits_refund() or None,
    }


def _to_payment(item: Item) -> Payment:
    return Payment(
        order=PayableOrder(
            id=item["orderID"],
            user_id=item["userID"],
            status=OrderStatus(item["orderStatus"]),
            expires_at=clock.from_millis(item["expiresAt"]),
            amount=item["amount"],
            currency=item["currency"],
            version=item["orderVersion"],
            refunded=item.get("orderRefunded", NOTHING),
        ),
        id=PaymentID(item["id"]) if "id" in item else None,
        stripe_id=item.get("stripeID"),
        client_secret=item.get("clientSecret"),
        status=PaymentStatus(item["status"]) if "status" in item else None,
        reason=item.get("reason"),
        refunded=_refunded(item),
        refund_status=RefundStatus(item["refundStatus"]) if "refundStatus" in item else None,
        paid_at=_to_instant(item.get("paidAt")),
        declines=frozenset(item.get("declines", ())),
        attempts=frozenset(item.get("attempts", ())),
        is_stopped=item.get("stopped", False),
        version=item["version"],
        revision=item["revision"],
        updated_at=_to_instant(item.get("updatedAt")),
        last_event=events.last_event(item),
    )


def _to_due(entry: Item) -> DuePayment:
    return DuePayment(
        OrderID(entry["pk"].removeprefix("order#")),
        clock.from_millis(entry["expiresAt"]),
        awaits_refund=entry.get("awaitsRefund", False),
    )


def _to_window(item: Item) -> LogWindow:
    return LogWindow(
        clock.from_millis(item["since"]), until=_to_instant(item.get("until")), then=_to_instant(item.get("then"))
    )


def _from_window(window: LogWindow) -> Item:
    return {"since": clock.to_millis(window.since), "until": _to_millis(window.until), "then": _to_millis(window.then)}


def _to_millis(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_millis(instant)


def _to_instant(millis: int | None) -> datetime | None:
    return None if millis is None else clock.from_millis(millis)


def _refunded(item: Item) -> MinorUnits:
    """Return the refunded amount. Older items lack the attribute: there status `refunded` means the full amount."""
    before: MinorUnits = item["amount"] if item.get("status") == PaymentStatus.REFUNDED else NOTHING
    return MinorUnits(item.get("refunded", before))


def _to_event(payment: Payment, event_type: EventType) -> events.Data:
    return events.CONTRACTS[event_type].model_validate(
        {
            "id": payment.id,
            "version": payment.version,
            "orderId": payment.order.id,
            "userID": payment.order.user_id,
            "stripeId": payment.stripe_id,
            "reason": payment.reason,
            "amountRefunded": payment.refunded,
        }
    )
