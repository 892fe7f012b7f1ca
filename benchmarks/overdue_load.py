"""Tables, queues and a local Stripe after an outage: unsettled payments, of which some are due, and overdue orders.

The items are those that the stores write. They are put into the tables directly.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

from functions.orders.order import HoldableTicket, Order
from functions.orders.store import OrderStore
from functions.payments.payment import EventType, OrderStatus, PayableOrder, Payment, PaymentStatus
from functions.payments.store import PaymentStore
from local.cloud.local_aws import LocalAws
from local.supervision.ports import Ports
from shared import clock
from shared.ids import OrderID, PaymentID, TicketID, UserID, new_id
from shared.money import FeeRule, MinorUnits, Price
from shared.table import Item, Put, Table, Write, _to_dynamodb
from stripe_emulator import StripeAccount
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY
from stripe_emulator.server import StripeServer
from tests.support.moto_tables import definitions

WINDOW = timedelta(minutes=5)
LEFT_ITS_COURSE = timedelta(minutes=10)
"""How long ago a due payment was changed."""
ON_ITS_COURSE = timedelta(minutes=3)
"""How long ago an open payment was changed whose buyer has time left."""
TIME_LEFT = timedelta(hours=1)
"""How much time its buyer has left: enough for the whole benchmark."""
OUTAGE = timedelta(hours=1)
"""How long ago the deadlines of the overdue orders passed."""
ITEMS_PER_CALL = 25  # the limit of BatchWriteItem
MISSING = "pi_not_created"
UNTOUCHED = "pi_on_its_normal_course"
"""The PaymentIntent of payments on their normal course. The local Stripe does not have it."""
_VISA = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card&capture_method=manual"


@dataclass(slots=True)
class Stripe:
    """The local Stripe in this process, which counts its calls. Each takes `latency` seconds."""

    latency: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    server: StripeServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = StripeServer(lambda url: StripeAccount(public_url=url, on_request=self._count), port=0)

    def authorise(self, order: PayableOrder) -> str:
        """Authorise a PaymentIntent for the order and return its id; not counted."""
        form = f"amount={order.amount}&currency=usd&metadata[stage]=dev&metadata[orderID]={order.id}&{_VISA}"
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        latency, self.latency = self.latency, 0.0
        reply = self.server.account.handle("POST", "/v1/payment_intents", headers, form)
        self.latency = latency
        self.calls.clear()
        return str(reply.body["id"])

    def _count(self, method: str, path: str) -> None:
        self.calls[f"{method} {path}"] += 1
        time.sleep(self.latency)


@dataclass(frozen=True, slots=True)
class _Collected(Table):
    """A table that keeps what is put, for `Load.put`."""

    items: list[Item] = field(default_factory=list)

    def write(self, *writes: Write) -> None:
        self.items.extend(dict(each.item) for each in writes if isinstance(each, Put))


@dataclass(frozen=True, slots=True)
class Load:
    """The local AWS with empty tables and queues, and the local Stripe."""

    aws: LocalAws
    stripe: Stripe
    environment: dict[str, str]
    """Environment variables of the functions, without their tables' names."""

    def overdue_orders(self, count: int, *, complete: int) -> set[str]:
        """Add orders whose timers were lost. The first ones have their tickets, each its own; returns their ids."""
        orders = [_overdue_order() for _ in range(count)]
        self._put("orders", (item for order, ticket in orders[:complete] for item in (order, ticket)))
        self._put("orders", (order for order, _ in orders[complete:]))
        return {order["id"] for order, _ in orders[:complete]}

    def unsettled_payments(self, count: int, *, due: int, complete: int) -> set[str]:
        """Add open payments whose buyers have time left, and due ones: half to capture, half to void.

        The first due ones have their PaymentIntents; returns the ids of their orders.
        """
        self._put("payments", (_open_payment() for _ in range(count - due)))
        payments = [self._due_payment(is_paid=number % 2 == 0, is_complete=number < complete) for number in range(due)]
        self._put("payments", payments)
        return {payment["orderID"] for payment in payments[:complete]}

    def _due_payment(self, *, is_paid: bool, is_complete: bool) -> Item:
        status = OrderStatus.AWAITING_PAYMENT if is_paid else OrderStatus.CANCELLED
        order = _payable(status, expires_at=clock.now() - LEFT_ITS_COURSE + WINDOW)
        stripe_id = self.stripe.authorise(order) if is_complete else MISSING
        return _payment(order, stripe_id, PaymentStatus.AUTHORIZED, changed_before=LEFT_ITS_COURSE)

    def _put(self, table: str, items: Iterable[Item]) -> None:
        database = self.aws.dynamodb()
        for some in batched(items, ITEMS_PER_CALL, strict=False):
            left: Any = {table: [{"PutRequest": {"Item": _to_dynamodb(item)}} for item in some]}
            while left:
                left = database.batch_write_item(RequestItems=left)["UnprocessedItems"]


@contextmanager
def open_load(folder: Path, template: dict[str, Any], stage: str) -> Iterator[Load]:
    """Start the local AWS with the tables and two queues, and the local Stripe; stopped afterwards."""
    with ExitStack() as stack:
        aws = LocalAws(port=Ports.free().aws, scratch=folder / "scratch", logs=folder, state=None)
        stack.callback(aws.stop)
        stripe = Stripe()
        stripe.server.start()
        stack.callback(stripe.server.stop)
        tables = aws.dynamodb()
        for service in ("orders", "payments"):
            tables.create_table(TableName=service, BillingMode="PAY_PER_REQUEST", **definitions(template)[service])
        queues = aws.queues()
        keys = {"secretKey": SECRET_KEY, "publishableKey": PUBLISHABLE_KEY, "webhookSecret": "whsec_unused"}
        yield Load(
            aws,
            stripe,
            aws.environment()
            | {
                "STAGE": stage,
                "CURRENCY": "usd",
                "STRIPE_API_BASE": stripe.server.url,
                "STRIPE_SECRET_ARN": aws.secrets().create_secret(Name="stripe", SecretString=json.dumps(keys))["ARN"],
                "DUE_QUEUE_URL": queues.create_queue(QueueName="due")["QueueUrl"],
                "OVERDUE_QUEUE_URL": queues.create_queue(QueueName="overdue")["QueueUrl"],
            },
        )


def _overdue_order() -> tuple[Item, Item]:
    """Return an order and its ticket."""
    deadline = clock.now() - OUTAGE
    ticket = HoldableTicket(
        id=TicketID(new_id()), seller_id=UserID(new_id()), title="Row 1, seat 1", price=Price("10.00"), currency="usd"
    )
    order = Order.place(
        ticket,
        order_id=OrderID(new_id()),
        buyer=UserID(new_id()),
        fee=FeeRule.parse(percent="5", fixed="0"),
        now=deadline - WINDOW,
        deadline=deadline,
    )
    table = _Collected("orders", has_sort_key=True)
    store = OrderStore(table)
    store.insert_order(order)
    store.commit()
    copy = {
        "pk": f"ticket#{ticket.id}",
        "sk": "ticket",
        "id": ticket.id,
        "sellerID": ticket.seller_id,
        "title": ticket.title,
        "price": ticket.price,
        "currency": ticket.currency,
        "withdrawn": False,
        "ticketVersion": 1,
        "holdNumber": order.ticket.hold_version,
        "holdOrderID": order.id,
        "holdUserID": order.user_id,
        "holdExpiresAt": clock.to_millis(deadline),
    }
    [item] = table.items
    return item, copy


def _open_payment() -> Item:
    order = _payable(OrderStatus.CREATED, expires_at=clock.now() + TIME_LEFT)
    return _payment(order, UNTOUCHED, PaymentStatus.OPEN, changed_before=ON_ITS_COURSE)


def _payable(status: OrderStatus, *, expires_at: datetime) -> PayableOrder:
    return PayableOrder(
        id=OrderID(new_id()),
        user_id=UserID(new_id()),
        status=status,
        expires_at=expires_at,
        amount=MinorUnits(1000),
        currency="usd",
        version=2,
    )


def _payment(order: PayableOrder, stripe_id: str, status: PaymentStatus, *, changed_before: timedelta) -> Item:
    table = _Collected("payments")
    store = PaymentStore(table)
    opened = Payment(
        order=order,
        id=PaymentID(new_id()),
        stripe_id=stripe_id,
        client_secret="x" * 60,
        status=PaymentStatus.OPEN,
    )
    if status is PaymentStatus.OPEN:
        store.insert(opened)
    else:
        now = clock.now()
        store.replace(opened, replace(opened, status=status, paid_at=now - changed_before), EventType.AUTHORIZED)
    store.commit()
    [item] = table.items
    return item | {"updatedAt": clock.to_millis(clock.now() - changed_before)}
