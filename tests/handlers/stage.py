"""A stage set: the five services with relays, bus, queues and timers between them, and a ledger of what they call.

`OPERATIONS` run one thing each, in the real handlers, and give that run. `purchase` is a whole sale.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from benchmarks.ledger import Change, Ledger, Run
from functions.payments import stripe_gateway, webhook
from shared import settings
from shared.ids import new_id
from tests.handlers.signing_key import SigningKey
from tests.handlers.stripe_in_process import Stripe, deliver_webhook
from tests.handlers.world import Answer, Clock, Context, Person, Tables, World, envelope, sqs_batch, subscribers

SOURCE = "admit-one."
TITLE = "Cup final, block 112"
PRICE = "120.00"
PASSWORD = "correct horse"
VISA = "tok_visa"
VISA_METHOD = "pm_card_visa"
THREE_D_SECURE = "pm_card_threeDSecure2Required"


class RecordedWorld(World):
    """A world that writes each run of a function into a ledger."""

    def __init__(self, tables: Tables, time: Clock, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
        super().__init__(tables, time, patch)
        self.ledger = ledger

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function and record it."""
        with self.ledger.run(function, _trigger(event)):
            return super().invoke(function, event)


class Stage:
    """The services of one test, with a seller, a buyer and a rival who wants the same ticket."""

    def __init__(self, tables: Tables, time: Clock, patch: pytest.MonkeyPatch, stripe: Stripe) -> None:
        self.ledger = Ledger(tables, stripe.calls)
        self.world = RecordedWorld(tables, time, patch, self.ledger)
        self.time = time
        self.stripe = stripe
        self.seller, self.buyer, self.rival = (self.world.person(f"{who}@example.com") for who in ("s", "b", "r"))
        self._patch = patch
        self._settled = 0
        self._signing_key = SigningKey(patch)
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
        """The newest run."""
        return self.ledger.runs[-1]

    def call(self, method: str, path: str, body: object = None, *, by: Person, key: bool = False) -> Answer:
        """Call a route; with an `Idempotency-Key` where asked for. Stripe's keys have been read within the minute."""
        stripe_gateway.keys()
        return self.world.call(method, path, body, by=by, headers={"Idempotency-Key": new_id()} if key else {})

    def offer(self, *, title: str = TITLE, key: bool = False) -> str:
        """Put a ticket on sale; its id."""
        answer = self.call("POST", "/api/tickets", {"title": title, "price": PRICE}, by=self.seller, key=key)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def offered(self, *, title: str = TITLE) -> str:
        """A ticket of which everybody knows; its id."""
        ticket_id = self.offer(title=title)
        self.settle()
        return ticket_id

    def place(self, ticket_id: str, by: Person | None = None, *, key: bool = False) -> Answer:
        """Try to order a ticket."""
        return self.call("POST", "/api/orders", {"ticketID": ticket_id, "price": PRICE}, by=by or self.buyer, key=key)

    def ordered(self) -> str:
        """An order of which everybody knows; its id."""
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

    def authorise(self, payment: Mapping[str, Any]) -> None:
        """What the buyer's browser does at Stripe, without us."""
        self.stripe.api(
            "POST", f"/v1/payment_intents/{payment['stripeId']}/confirm", f"payment_method={VISA_METHOD}"
        )

    def webhooks(self) -> None:
        """Deliver what Stripe has to tell of the types that our endpoint is subscribed to."""
        stripe_gateway.keys()
        for pending in self.stripe.account.pending_webhooks():
            told = json.loads(pending.body)
            if told["type"] in webhook.TYPES:
                assert deliver_webhook(self.world, told).status == 200
            self.stripe.account.webhook_answered(pending.event_id, 200)

    def settle(self) -> None:
        """Let relays, bus, queues and listeners run until all is quiet: one record, one message at a time."""
        stripe_gateway.keys()
        while self._settled < len(self.ledger.runs):
            run = self.ledger.runs[self._settled]
            self._settled += 1
            for call in run.calls:
                for change in filter(_carries_an_event, call.changes):
                    self._relay(change)
                for entry in call.events:
                    self.deliver(envelope(entry["DetailType"], json.loads(entry["Detail"])))

    def deliver(self, event: dict[str, Any]) -> None:
        """Hand an event to all who listen."""
        for service in subscribers(event):
            assert not self.world.invoke(f"{service}.listener", sqs_batch(event))["batchItemFailures"]

    def expire(self, order_id: str) -> None:
        """The order's timer goes off."""
        timer = {"orderId": order_id, "userID": self.buyer.id, "correlationId": "c", "causationId": "c"}
        self.world.invoke("expiration.expire", timer)

    def found(self, function: str, trigger: str) -> Run:
        """The newest run of a function with this trigger."""
        return next(run for run in reversed(self.ledger.runs) if (run.function, run.trigger) == (function, trigger))

    def _relay(self, change: Change) -> None:
        """A stream record, to the relay of its table."""
        self._set(EVENT_SOURCE=SOURCE + change.table)
        settings.load.cache_clear()
        images = {"NewImage": change.after} | ({"OldImage": change.before} if change.before else {})
        record = {"eventName": "MODIFY" if change.before else "INSERT", "dynamodb": images}
        relay = importlib.import_module("shared.relay")
        with self.ledger.run(f"{change.table}.relay", str(_event_of(change)["type"]["S"])):
            relay.handler({"Records": [record]}, Context())

    def _set(self, **environment: str) -> None:
        for name, value in environment.items():
            self._patch.setenv(name, value)


@contextmanager
def alone(template: dict[str, Any]) -> Iterator[Callable[[], Stage]]:
    """Stages outside of a run of the tests, each with empty tables."""
    handlers = importlib.import_module("tests.handlers.conftest")  # sets the environment of all handlers
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        tables = Tables(template)

        def make() -> Stage:
            tables.empty()
            settings.load.cache_clear()
            time = handlers.stand_still(patch)
            return Stage(tables, time, patch, handlers.put_stripe_in_place(time, patch))

        yield make


def purchase(stage: Stage) -> list[Run]:
    """One ticket from its seller to its buyer, as the web client calls for it; all the runs, in their order.

    Both have signed in. The buyer browses, looks at the ticket, orders it and is shown how to pay; Stripe has their
    money and says so; they look until the ticket is theirs; the order's timer goes off for nothing at its deadline.
    """
    stage.world.invoke("auth.authorizer", {"headers": {}})  # one answer for each of the two is kept for five minutes
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
    stage.webhooks()
    stage.settle()
    stage.webhooks()
    stage.settle()
    assert stage.call("GET", f"/api/payments/{order_id}", by=stage.buyer).json["status"] == "captured"
    assert stage.call("GET", f"/api/orders/{order_id}", by=stage.buyer).json["status"] == "completed"
    assert stage.call("GET", f"/api/tickets/{ticket_id}", by=stage.buyer).json["status"] == "sold"
    stage.time.advance(minutes=5)
    stage.expire(order_id)
    stage.settle()
    return stage.ledger.runs


def _trigger(event: Any) -> str:
    if "routeKey" in event:
        return str(event["routeKey"])
    if "Records" in event:
        return str(json.loads(event["Records"][0]["body"])["detail-type"])
    return ""


def _carries_an_event(change: Change) -> bool:
    """Whether the relay's filter lets the record through: its new image holds an event."""
    return change.after is not None and "event" in change.after


def _event_of(change: Change) -> dict[str, Any]:
    assert change.after
    return dict(change.after["event"]["M"])
