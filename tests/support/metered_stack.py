"""The five services in this process, with relays, bus, queues and timers, and a ledger of their calls."""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging import StreamHandler
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from functions.payments import stripe_gateway, webhook
from metering.ledger import Change, Ledger, Run
from shared import aws, settings
from shared.ids import new_id
from shared.telemetry import logger
from tests.support.fake_clock import FakeClock
from tests.support.lambda_events import LambdaContext, Person, envelope, sqs_batch, subscribers
from tests.support.moto_tables import MotoTables
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe, deliver_webhook
from tests.support.world import Response, World

SOURCE = "admit-one."
TITLE = "Cup final, block 112"
PRICE = "120.00"
PASSWORD = "correct horse"
VISA = "tok_visa"
VISA_METHOD = "pm_card_visa"
MILLISECONDS_APART = 40


class MeteredWorld(World):
    """A world that records each run of a function in a ledger."""

    def __init__(self, tables: MotoTables, time: FakeClock, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
        super().__init__(tables, time, patch)
        self.ledger = ledger

    def invoke(self, function: str, event: Any, *, context: LambdaContext | None = None) -> Any:
        """Run a function, a little later than the one before, and record it."""
        self.time.advance(milliseconds=MILLISECONDS_APART)
        service = function.partition(".")[0]
        with self.ledger.run(function, _trigger(event)), logger.append_context_keys(service=service):
            return super().invoke(function, event, context=context)


class MeteredStack:
    """The services of one test, with a seller, a buyer, and a rival who wants the same ticket."""

    def __init__(self, tables: MotoTables, time: FakeClock, environment: pytest.MonkeyPatch, stripe: Stripe) -> None:
        self.ledger = Ledger(tables, stripe.calls, cast("StreamHandler[Any]", logger.registered_handler))
        self.world = MeteredWorld(tables, time, environment, self.ledger)
        self.time = time
        self.stripe = stripe
        self.seller, self.buyer, self.rival = (self.world.person(f"{who}@example.com") for who in ("s", "b", "r"))
        self._environment = environment
        self._settled = 0
        time.meanwhile = self._settle_meanwhile
        self._signing_key = SigningKey(environment)
        name = f"stack-{new_id()}"
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

    def call(self, method: str, path: str, body: object = None, *, by: Person, key: bool = False) -> Response:
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

    def place(self, ticket_id: str, by: Person | None = None, *, key: bool = False) -> Response:
        """Try to order a ticket."""
        return self.call("POST", "/api/orders", {"ticketID": ticket_id, "price": PRICE}, by=by or self.buyer, key=key)

    def ordered(self) -> str:
        """Place an order and deliver its events; return its id."""
        answer = self.place(self.offered())
        assert answer.status == 201, answer.text
        self.settle()
        return str(answer.json["id"])

    def pay(self, order_id: str, token: str | None = None) -> Response:
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
            notification = json.loads(pending.body)
            if notification["type"] in webhook.TYPES:
                assert deliver_webhook(self.world, notification).status == 200
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
        relay = importlib.import_module("functions.relay.relay")
        event_type = str(_event_of(change)["type"]["S"])
        with (
            self.ledger.run(f"{change.table}.relay", event_type),
            logger.append_context_keys(service=change.table),
        ):
            relay.handler({"Records": [record]}, LambdaContext())

    def _set(self, **environment: str) -> None:
        for name, value in environment.items():
            self._environment.setenv(name, value)


@contextmanager
def alone(template: dict[str, Any]) -> Iterator[Callable[[], MeteredStack]]:
    """Yield a factory of stacks for use outside of a test run, each with empty tables."""
    handlers = importlib.import_module("tests.support.handler_fixtures")  # sets the environment of all handlers
    with mock_aws(), pytest.MonkeyPatch.context() as environment:
        tables = MotoTables(template)

        def make() -> MeteredStack:
            tables.empty()
            settings.load.cache_clear()
            time = handlers.freeze_clock(environment)
            return MeteredStack(tables, time, environment, handlers.replace_stripe(time, environment))

        yield make
    aws._client.cache_clear()  # their clients belonged to the mock
    settings.load.cache_clear()


def _trigger(event: Any) -> str:
    if "routeKey" in event:
        return str(event["routeKey"])
    if "Records" in event:
        return str(json.loads(event["Records"][0]["body"]).get("detail-type", "task"))
    return ""


def _carries_an_event(change: Change) -> bool:
    """Return whether the relay's filter accepts the record: its new image holds an event."""
    return change.after is not None and "event" in change.after


def _event_of(change: Change) -> dict[str, Any]:
    assert change.after
    return dict(change.after["event"]["M"])
