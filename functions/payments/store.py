"""The Payments table: one item for an order and its one payment, plus how far Stripe's own log was read.

    pk order#<orderID>     the copy of the order, and its payment with the last event it told
    pk reconciler          the instant up to which Stripe's log was read

Every write is conditioned on the item's revision: it is as it was read, or nothing is written.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from functions.payments.payment import Order, OrderStatus, Payment, Status, Telling
from shared import clock, events
from shared.ids import OrderID, PaymentID, partition
from shared.money import CURRENCIES, NOTHING, MinorUnits, to_minor_units
from shared.table import Item, Put, Refused, Table, Update, Write

UNSETTLED_PARTITIONS = 8  # enough for 8,000 payments a second to enter the index of unsettled ones
RECONCILER = {"pk": "reconciler"}


class PaymentChanged(Exception):
    """Somebody else's write to the payment or its order came first."""


class PaymentStore:
    """What Payments keeps."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def payment(self, order_id: OrderID) -> Payment | None:
        """The order with its payment, by a consistent read."""
        item = self.table.get(_key(order_id), consistent=True)
        return _to_payment(item) if item else None

    def save(
        self, before: Payment, after: Payment, telling: Telling | None = None, also: Write | None = None
    ) -> Payment:
        """Write the payment's next state and the event that tells of it; the payment as it is now.

        Condition: the item is as it was read. Raises PaymentChanged.
        """
        saved = replace(after, revision=before.revision + 1)
        if saved.paid_at is None and saved.status in (Status.AUTHORIZED, Status.CAPTURED):
            saved = replace(saved, paid_at=clock.now())
        if telling:
            saved = replace(saved, version=before.version + 1)
            saved = replace(saved, last_event=events.tell(_to_event(saved, telling)))
        put = Put(item=_to_item(saved), condition="#revision = :revision", values={"revision": before.revision})
        try:
            self.table.write(put, also)
        except Refused:
            raise PaymentChanged from None
        return saved

    def keep_order(self, event: events.OrderEvent) -> tuple[Payment | None, Payment]:
        """Take over what Orders says of an order, unless a newer word is here already; the payment before and now.

        Condition: the item is as it was read, or there is none. Raises PaymentChanged.
        """
        order = _to_copy(event)
        before = self.payment(event.id)
        if before is None:
            new = Payment(order=order)
            try:
                self.table.write(Put(item=_to_item(new), condition="attribute_not_exists(pk)"))
            except Refused:
                raise PaymentChanged from None
            return None, new
        after = before.with_order(order)
        return before, before if after is before else self.save(before, after)

    def claim_read(self, order_id: OrderID, every: timedelta) -> bool:
        """Whether Stripe may be read again for this payment; the others wait their turn."""
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
        except Refused:
            return False
        return True

    def unsettled(self, until: datetime) -> Iterator[OrderID]:
        """The orders whose payment is not settled and has not changed since `until`, oldest first in each partition."""
        for number in range(UNSETTLED_PARTITIONS):
            for item in self.table.query(
                "unsettledPartition = :partition AND updatedAt < :until",
                index="unsettled",
                partition=str(number),
                until=clock.to_millis(until),
            ):
                yield OrderID(item["pk"].removeprefix("order#"))

    def log_read_to(self) -> datetime | None:
        """The instant up to which Stripe's log was read."""
        item = self.table.get(RECONCILER)
        return clock.from_millis(item["logReadTo"]) if item else None

    def set_log_read_to(self, instant: datetime) -> None:
        """Remember how far Stripe's log was read. Unconditional: reading a part of it twice changes nothing."""
        self.table.write(Put(item=RECONCILER | {"logReadTo": clock.to_millis(instant)}))


def _key(order_id: OrderID) -> dict[str, str]:
    return {"pk": f"order#{order_id}"}


def _to_copy(event: events.OrderEvent) -> Order:
    currency = CURRENCIES[event.ticket.currency]
    return Order(
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
        "paidAt": clock.to_millis(payment.paid_at) if payment.paid_at else None,
        "version": payment.version,
        "revision": payment.revision,
        "updatedAt": clock.to_millis(clock.now()),
        "unsettledPartition": None if payment.is_settled() else partition(order.id, UNSETTLED_PARTITIONS),
        "event": payment.last_event,
    }


def _to_payment(item: Item) -> Payment:
    return Payment(
        order=Order(
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
        status=Status(item["status"]) if "status" in item else None,
        reason=item.get("reason"),
        refunded=_refunded(item),
        paid_at=clock.from_millis(item["paidAt"]) if "paidAt" in item else None,
        version=item["version"],
        revision=item["revision"],
        last_event=item.get("event"),
    )


def _refunded(item: Item) -> MinorUnits:
    """What went back; an item from before it was kept says only that all of it did."""
    before: MinorUnits = item["amount"] if item.get("status") == Status.REFUNDED else NOTHING
    return MinorUnits(item.get("refunded", before))


def _to_event(payment: Payment, telling: Telling) -> events.Data:
    return events.CONTRACTS[telling].model_validate(
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
