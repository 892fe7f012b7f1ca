"""One stage in process: the five services with relays, bus, queues and timers, and a ledger of their calls.

Each function in `OPERATIONS` runs one operation in the real handlers and returns its run. `purchase` is a whole sale.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from functions.orders.order import Ticket
from functions.orders.store import OrderStore
from functions.payments import stripe_gateway, webhook
from functions.tickets.ticket import LONGEST_TITLE
from metering.ledger import Change, Ledger, Run
from shared import aws, settings
from shared.ids import TicketID, new_id
from shared.table import Table
from tests.support.moto_tables import Tables
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe, deliver_webhook
from tests.support.world import Answer, Clock, Context, Person, World, envelope, sqs_batch, subscribers

SOURCE = "admit-one."
TITLE = "Cup final, block 112"
PRICE = "120.00"
PASSWORD = "correct horse"
VISA = "tok_visa"
VISA_METHOD = "pm_card_visa"
MILLISECONDS_APART = 40


class RecordedWorld(World):
    """A world that records each run of a function in a ledger."""

    def __init__(self, tables: Tables, time: Clock, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
        super().__init__(tables, time, patch)
        self.ledger = ledger

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function, a little later than the one before, and record it."""
        self.time.advance(milliseconds=MILLISECONDS_APART)
        with self.ledger.run(function, _trigger(event)):
            return super().invoke(function, event)


class Stage:
    """The services of one test, with a seller, a buyer, and a rival who wants the same ticket."""

    def __init__(self, tables: Tables, time: Clock, environment: pytest.MonkeyPatch, stripe: Stripe) -> None:
        self.ledger = Ledger(tables, stripe.calls)
        self.world = RecordedWorld(tables, time, environment, self.ledger)
        self.time = time
        self.stripe = stripe
        self.seller, self.buyer, self.rival = (self.world.person(f"{who}@example.com") for who in ("s", "b", "r"))
        self._environment = environment
        self._settled = 0
        time.meanwhile = self._settle_meanwhile
        self._signing_key = SigningKey(environment)
        name = f"stage-{new_id()}"
        boto3.client("events").create_event_bus(Name=name)
        boto3.client("scheduler").create_schedule_group(Name=name)
        self._set(
            EVENT_BUS_NAME=name,
            SCHEDULE_GROUP=name,
            EXPIRE_FUNCTION_ARN="arn:aws:lambda:us-east-1:123456789012:function:expire",
            SCHEDULER_ROLE_ARN="arn:aws:iam::123456789012:role/scheduler",
            SCHEDULE_DLQ_ARN="arn:aws:sqs:us-east-1:123456789012:dead-letters",
            RELAY_DLQ_URL="https://sqs.us-east-1.amazonaws.com/123456789012/unpublished",
        )
        settings.load.cache_clear()

    @property
    def last(self) -> Run:
        """Return the newest run."""
        return self.ledger.runs[-1]

    def call(self, method: str, path: str, body: object = None, *, by: Person, key: bool = False) -> Answer:
        """Call a route, with an `Idempotency-Key` if `key` is set. Stripe's keys are in the cache."""
        stripe_gateway.keys()
        return self.world.call(method, path, body, by=by, headers={"Idempotency-Key": new_id()} if key else {})

    def offer(self, *, title: str = TITLE, key: bool = False) -> str:
        """Put a ticket on sale; return its id."""
        answer = self.call("POST", "/api/tickets", {"title": title, "price": PRICE}, by=self.seller, key=key)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def offered(self, *, title: str = TITLE) -> str:
        """Put a ticket on sale and deliver its events; return its id."""
        ticket_id = self.offer(title=title)
        self.settle()
        return ticket_id

    def place(self, ticket_id: str, by: Person | None = None, *, key: bool = False) -> Answer:
        """Try to order a ticket."""
        return self.call("POST", "/api/orders", {"ticketID": ticket_id, "price": PRICE}, by=by or self.buyer, key=key)

    def ordered(self) -> str:
        """Place an order and deliver its events; return its id."""
        answer = self.place(self.offered())
        assert answer.status == 201, answer.text
        self.settle()
        return str(answer.json["id"])

    def pay(self, order_id: str, token: str | None = None) -> Answer:
        """Start the payment of an order; with a token, confirm it too."""
        body = {"orderId": order_id} | ({"token": token} if token else {})
        answer = self.call("POST", "/api/payments", body, by=self.buyer)
        assert answer.status == 201, answer.text
        return answer

    def payment(self, order_id: str) -> str:
        """Return the status of an order's payment, requested by its buyer."""
        return str(self.call("GET", f"/api/payments/{order_id}", by=self.buyer).json["status"])

    def authorise(self, payment: Mapping[str, Any]) -> None:
        """Authorise a payment at Stripe directly, as the buyer's browser does."""
        intent = f"/v1/payment_intents/{payment['stripeId']}"
        self.stripe.api("POST", f"{intent}/confirm", f"payment_method={VISA_METHOD}")

    def webhooks(self) -> None:
        """Deliver Stripe's pending webhooks of the types that our endpoint is subscribed to."""
        stripe_gateway.keys()
        for pending in self.stripe.account.pending_webhooks():
            told = json.loads(pending.body)
            if told["type"] in webhook.TYPES:
                assert deliver_webhook(self.world, told).status == 200
            self.stripe.account.webhook_answered(pending.event_id, 200)

    def settle(self) -> None:
        """Run relays, bus, queues and listeners until no message is left: one record, one message at a time."""
        stripe_gateway.keys()
        while self._settled < len(self.ledger.runs):
            run = self.ledger.runs[self._settled]
            self._settled += 1
            for call in run.calls:
                for change in filter(_carries_an_event, call.changes):
                    self._relay(change)
                for entry in call.events:
                    self.deliver(envelope(entry["DetailType"], json.loads(entry["Detail"])))

    def _settle_meanwhile(self) -> None:
        """Run the others while a function waits for them."""
        if self._settled < len(self.ledger.runs):
            self.settle()

    def deliver(self, event: dict[str, Any]) -> None:
        """Deliver an event to all its subscribers."""
        for service in subscribers(event):
            assert not self.world.invoke(f"{service}.listener", sqs_batch(event))["batchItemFailures"]

    def expire(self, order_id: str) -> None:
        """Fire the order's timer."""
        timer = {"orderId": order_id, "userID": self.buyer.id, "correlationId": "c", "causationId": "c"}
        self.world.invoke("expiration.expire", timer)

    def found(self, function: str, trigger: str) -> Run:
        """Return the newest run of a function with this trigger."""
        return next(run for run in reversed(self.ledger.runs) if (run.function, run.trigger) == (function, trigger))

    def _relay(self, change: Change) -> None:
        """Pass a stream record to the relay of its table."""
        self._set(EVENT_SOURCE=SOURCE + change.table)
        settings.load.cache_clear()
        self.time.advance(milliseconds=MILLISECONDS_APART)
        images = {"NewImage": change.after} | ({"OldImage": change.before} if change.before else {})
        record = {"eventName": "MODIFY" if change.before else "INSERT", "dynamodb": images}
        relay = importlib.import_module("shared.relay")
        with self.ledger.run(f"{change.table}.relay", str(_event_of(change)["type"]["S"])):
            relay.handler({"Records": [record]}, Context())

    def _set(self, **environment: str) -> None:
        for name, value in environment.items():
            self._environment.setenv(name, value)


@contextmanager
def alone(template: dict[str, Any]) -> Iterator[Callable[[], Stage]]:
    """Yield a factory of stages for use outside of a test run, each with empty tables."""
    handlers = importlib.import_module("tests.integration.conftest")  # sets the environment of all handlers
    with mock_aws(), pytest.MonkeyPatch.context() as environment:
        tables = Tables(template)

        def make() -> Stage:
            tables.empty()
            settings.load.cache_clear()
            time = handlers.stand_still(environment)
            return Stage(tables, time, environment, handlers.put_stripe_in_place(time, environment))

        yield make
    aws._client.cache_clear()  # their clients belonged to the mock
    settings.load.cache_clear()


def purchase(stage: Stage) -> list[Run]:
    """Run one purchase as the web client does; return all its runs, in order.

    Both users are signed in. The buyer browses, opens the ticket, orders it and starts the payment. After confirming it
    at Stripe, the buyer's browser requests the payment, and again when it is captured and the ticket sold; Stripe's
    webhooks arrive meanwhile. The order's timer fires at its deadline and has no effect.
    """
    # once for the seller; API Gateway caches the authorizer's answer
    stage.world.invoke("auth.authorizer", {"headers": {}})
    ticket_id = stage.offer(key=True)
    stage.settle()
    stage.world.invoke("auth.authorizer", {"headers": {}})
    stage.call("GET", "/api/users/currentuser", by=stage.buyer)
    stage.call("GET", "/api/tickets", by=stage.buyer)
    stage.call("GET", f"/api/tickets/{ticket_id}", by=stage.buyer)
    order_id = stage.place(ticket_id, key=True).json["id"]
    stage.settle()
    stage.call("GET", f"/api/orders/{order_id}", by=stage.buyer)
    stage.authorise(stage.pay(order_id).json)
    assert stage.payment(order_id) == "authorized"
    stage.webhooks()
    stage.settle()
    stage.webhooks()
    stage.settle()
    assert stage.payment(order_id) == "captured"
    assert stage.call("GET", f"/api/orders/{order_id}", by=stage.buyer).json["status"] == "completed"
    stage.time.advance(minutes=5)
    stage.expire(order_id)
    stage.settle()
    return stage.ledger.runs


type Operation = Callable[[Stage], Run]

OPERATIONS: dict[str, Operation] = {}


def operation(run: Operation) -> Operation:
    """Register an operation under its function's name: `place_an_order` is "place an order"."""
    OPERATIONS[run.__name__.replace("_", " ")] = run
    return run


@operation
def sign_up(stage: Stage) -> Run:
    _sign_up(stage, "first@example.com")  # reads the signing key, which is cached for five minutes
    _sign_up(stage, "second@example.com")
    return stage.last


@operation
def sign_in(stage: Stage) -> Run:
    _sign_up(stage, "first@example.com")
    credentials = {"email": "first@example.com", "password": PASSWORD}
    assert stage.world.call("POST", "/api/users/signin", credentials).status == 200
    return stage.last


@operation
def ask_who_one_is(stage: Stage) -> Run:
    token = _sign_up(stage, "first@example.com")
    answer = stage.world.call("GET", "/api/users/currentuser", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["currentUser"]["email"] == "first@example.com"
    return stage.last


@operation
def ask_the_authorizer(stage: Stage) -> Run:
    token = _sign_up(stage, "first@example.com")
    told = stage.world.invoke("auth.authorizer", {"headers": {"authorization": f"Bearer {token}"}})
    assert told["context"]["email"] == "first@example.com"
    return stage.last


@operation
def put_a_ticket_on_sale(stage: Stage) -> Run:
    stage.offer()
    return stage.last


@operation
def put_a_ticket_on_sale_with_a_key(stage: Stage) -> Run:
    stage.offer(key=True)
    return stage.last


@operation
def edit_a_ticket(stage: Stage) -> Run:
    path = f"/api/tickets/{stage.offered()}"
    assert stage.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stage.seller, key=True).status == 200
    return stage.found("tickets.api", "PUT /api/tickets/{id}")


@operation
def withdraw_a_ticket(stage: Stage) -> Run:
    assert stage.call("DELETE", f"/api/tickets/{stage.offered()}", by=stage.seller, key=True).status == 204
    return stage.found("tickets.api", "DELETE /api/tickets/{id}")


@operation
def get_a_ticket(stage: Stage) -> Run:
    return _read(stage, f"/api/tickets/{stage.offered()}")


@operation
def list_what_is_on_sale(stage: Stage) -> Run:
    stage.offer()
    return _read(stage, "/api/tickets")


@operation
def list_what_one_sells(stage: Stage) -> Run:
    stage.offer()
    return _read(stage, "/api/tickets/mine", by=stage.seller)


@operation
def place_an_order(stage: Stage) -> Run:
    assert stage.place(stage.offered()).status == 201
    return stage.last


@operation
def place_an_order_with_the_longest_title(stage: Stage) -> Run:
    assert stage.place(stage.offered(title="x" * LONGEST_TITLE)).status == 201
    return stage.last


@operation
def place_an_order_with_a_key(stage: Stage) -> Run:
    assert stage.place(stage.offered(), key=True).status == 201
    return stage.last


@operation
def place_an_order_twice(stage: Stage) -> Run:
    ticket_id = stage.offered()
    stage.place(ticket_id)
    assert stage.place(ticket_id).status == 200
    return stage.last


@operation
def lose_an_order_on_the_read(stage: Stage) -> Run:
    ticket_id = stage.offered()
    stage.place(ticket_id, stage.rival)
    assert stage.place(ticket_id).code == "ticket_held"
    return stage.last


@operation
def lose_an_order_in_the_write(stage: Stage) -> Run:
    """The read still shows the ticket as free; the write finds it taken."""
    ticket_id = TicketID(stage.offered())
    read = OrderStore.ticket
    free = read(OrderStore(Table("orders", has_sort_key=True)), ticket_id)
    stage.place(ticket_id, stage.rival)

    def stale(store: OrderStore, wanted: TicketID, *, consistent: bool = False) -> Ticket | None:
        read(store, wanted, consistent=consistent)
        return free

    with patch.object(OrderStore, "ticket", stale):
        assert stage.place(ticket_id).code == "ticket_held"
    return stage.last


@operation
def take_over_a_lapsed_order(stage: Stage) -> Run:
    ticket_id = stage.offered()
    stage.place(ticket_id, stage.rival)
    stage.time.advance(minutes=6)
    assert stage.place(ticket_id).status == 201
    return stage.last


@operation
def get_an_order(stage: Stage) -> Run:
    return _read(stage, f"/api/orders/{stage.ordered()}")


@operation
def list_orders(stage: Stage) -> Run:
    stage.ordered()
    return _read(stage, "/api/orders")


@operation
def find_the_order_of_a_ticket(stage: Stage) -> Run:
    order = _order(stage, stage.ordered())
    return _read(stage, f"/api/orders?ticketID={order['ticket']['id']}")


@operation
def cancel_an_order(stage: Stage) -> Run:
    assert stage.call("DELETE", f"/api/orders/{stage.ordered()}", by=stage.buyer).status == 204
    return stage.last


@operation
def start_a_payment(stage: Stage) -> Run:
    stage.pay(stage.ordered())
    return stage.last


@operation
def start_and_confirm_a_payment(stage: Stage) -> Run:
    stage.pay(stage.ordered(), VISA)
    return stage.last


@operation
def get_a_payment(stage: Stage) -> Run:
    order_id = stage.ordered()
    stage.pay(order_id, VISA)
    return _read(stage, f"/api/payments/{order_id}")


@operation
def get_a_payment_that_is_open(stage: Stage) -> Run:
    order_id = stage.ordered()
    stage.pay(order_id)
    return _read(stage, f"/api/payments/{order_id}")


@operation
def webhook_authorised(stage: Stage) -> Run:
    stage.authorise(stage.pay(stage.ordered()).json)
    stage.webhooks()
    return stage.last


@operation
def webhook_captured(stage: Stage) -> Run:
    """The listener that captured it has recorded the capture before."""
    stage.authorise(stage.pay(stage.ordered()).json)
    stage.webhooks()
    stage.settle()
    stage.webhooks()
    return stage.last


@operation
def webhook_refunded(stage: Stage) -> Run:
    payment = _bought(stage)
    stage.stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeId']}")
    stage.webhooks()
    return stage.last


@operation
def relay_an_event(stage: Stage) -> Run:
    stage.offered()
    return stage.found("tickets.relay", "ticket:created")


@operation
def expire_an_order(stage: Stage) -> Run:
    """The timer's part only; `orders.listener` does the rest."""
    stage.expire(stage.ordered())
    return stage.last


@operation
def sweep_with_nothing_overdue(stage: Stage) -> Run:
    stage.world.invoke("orders.sweep", {})
    return stage.last


@operation
def sweep_one_order(stage: Stage) -> Run:
    stage.ordered()
    stage.time.advance(minutes=9)
    stage.world.invoke("orders.sweep", {})
    return stage.last


@operation
def reconcile_with_nothing_unsettled(stage: Stage) -> Run:
    stripe_gateway.keys()
    stage.world.invoke("payments.reconciler", {})
    return stage.last


@operation
def reconcile_one_payment(stage: Stage) -> Run:
    """The webhook of its authorisation was lost."""
    stage.authorise(stage.pay(stage.ordered()).json)
    stage.time.advance(minutes=3)
    stripe_gateway.keys()
    stage.world.invoke("payments.reconciler", {})
    return stage.last


# Stories, each with the events that listeners handle: see REACTIONS in test_calls.py.


def bought(stage: Stage) -> None:
    """A purchase, from the offer to the last replica."""
    purchase(stage)


def edited(stage: Stage) -> None:
    """A ticket is edited and all events are delivered."""
    edit_a_ticket(stage)
    stage.settle()


def edited_after_a_lapse(stage: Stage) -> None:
    """A ticket is edited after its order has lapsed, and all events are delivered."""
    ticket_id = stage.offered()
    stage.place(ticket_id)
    stage.settle()
    stage.time.advance(minutes=5)
    path = f"/api/tickets/{ticket_id}"
    assert stage.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stage.seller).status == 200
    stage.settle()


def edited_too_late(stage: Stage) -> None:
    """An order precedes the edit, and Tickets has not received its event."""
    ticket_id = stage.offered()
    stage.place(ticket_id)
    path = f"/api/tickets/{ticket_id}"
    with patch.object(stage, "deliver", lambda event: _deliver_but_holds(stage, event)):
        assert stage.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stage.seller).code == "ticket_held"


def cancelled_while_paying(stage: Stage) -> None:
    """A buyer cancels while the payment is open."""
    order_id = stage.ordered()
    stage.pay(order_id)
    stage.call("DELETE", f"/api/orders/{order_id}", by=stage.buyer)
    stage.settle()


def lapsed(stage: Stage) -> None:
    """An order lapses."""
    order_id = stage.ordered()
    stage.time.advance(minutes=5)
    stage.expire(order_id)
    stage.settle()


def not_captured(stage: Stage) -> None:
    """The held funds are gone before they are captured."""
    order_id = stage.ordered()
    payment = stage.pay(order_id, VISA).json
    stage.stripe.api("POST", f"/v1/payment_intents/{payment['stripeId']}/cancel")
    stage.settle()


def _deliver_but_holds(stage: Stage, event: dict[str, Any]) -> None:
    if event["detail-type"] != "order:created":
        Stage.deliver(stage, event)


def refunded(stage: Stage) -> None:
    """A purchase is refunded by hand at Stripe: a part of it, then the rest."""
    payment = _bought(stage)
    for form in ("&amount=500", ""):
        stage.stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeId']}{form}")
        stage.webhooks()
        stage.settle()


def _bought(stage: Stage) -> dict[str, Any]:
    """Return the payment of a completed order, with all webhooks delivered."""
    payment: dict[str, Any] = stage.pay(stage.ordered(), VISA).json
    stage.settle()
    stage.webhooks()
    return payment


def _order(stage: Stage, order_id: str) -> dict[str, Any]:
    return dict(stage.call("GET", f"/api/orders/{order_id}", by=stage.buyer).json)


def _sign_up(stage: Stage, email: str) -> str:
    answer = stage.world.call("POST", "/api/users/signup", {"email": email, "password": PASSWORD})
    assert answer.status == 201, answer.text
    return str(answer.json["token"])


def _read(stage: Stage, path: str, *, by: Person | None = None) -> Run:
    assert stage.call("GET", path, by=by or stage.buyer).status == 200
    return stage.last


def _trigger(event: Any) -> str:
    if "routeKey" in event:
        return str(event["routeKey"])
    if "Records" in event:
        return str(json.loads(event["Records"][0]["body"])["detail-type"])
    return ""


def _carries_an_event(change: Change) -> bool:
    """Return whether the relay's filter accepts the record: its new image holds an event."""
    return change.after is not None and "event" in change.after


def _event_of(change: Change) -> dict[str, Any]:
    assert change.after
    return dict(change.after["event"]["M"])
