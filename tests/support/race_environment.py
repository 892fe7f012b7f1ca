"""The environment of races: the local AWS, the local Stripe and the worker pool; and a separate sandbox for
each test.
"""

import itertools
import json
import pickle
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

from boto3.dynamodb.types import TypeDeserializer

from local import ROOT
from local.api_client import Client
from local.cloud.local_aws import LocalAws
from local.supervision.ports import HOST, Ports
from local.supervision.processes import Child, clean_environment
from shared.events import last_event
from shared.ids import UserID, new_id
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY
from stripe_emulator.webhooks import signature_header
from tests.support.grants import FROM
from tests.support.lambda_events import (
    PUBLISHERS,
    Person,
    envelope,
    function_of,
    http_event,
    new_event,
    sqs_batch,
    subscribers,
)
from tests.support.moto_tables import definitions
from tests.support.worker_pool import NO_FAULTS, Courier, FaultProfile, Invocation, Job, Outcome, Race

WEBHOOK_SECRET = "whsec_races"
CONNECT_WEBHOOK_SECRET = "whsec_races_connect"
WINDOW = timedelta(seconds=300)
RECEIPTS = 8  # deliveries of a message, under the heaviest fault profile
BATCH = 10  # events in one batch of a listener
_DESERIALIZER = TypeDeserializer()


@dataclass
class Figures:
    """How much was run, for the summary."""

    calls: int = 0
    seconds: float = 0.0
    processes: int = 0

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds if self.seconds else 0.0


class RaceEnvironment:
    """One local AWS, one local Stripe, one worker pool."""

    def __init__(self, aws: LocalAws, stripe_url: str, workers: "subprocess.Popen[bytes]", template: dict[str, Any]):
        self.figures = Figures()
        self.aws = aws
        self.database = aws.dynamodb()
        self._streams: Any = aws._session().client("dynamodbstreams", endpoint_url=aws.url)
        self.stripe_url = stripe_url
        self.definitions = definitions(template)
        self._numbers = itertools.count(1)
        self._pool = workers
        aws.mails().create_email_identity(EmailIdentity=FROM.rpartition("@")[2])
        secrets = aws.secrets()
        keys = {"secretKey": SECRET_KEY, "publishableKey": PUBLISHABLE_KEY, "webhookSecret": WEBHOOK_SECRET}
        payout_keys = {"secretKey": SECRET_KEY, "connectWebhookSecret": CONNECT_WEBHOOK_SECRET}
        self.environment = {
            "STRIPE_API_BASE": stripe_url,
            "PAYOUT_SECRET_ARN": secrets.create_secret(Name="payouts", SecretString=json.dumps(payout_keys))["ARN"],
            "STRIPE_SECRET_ARN": secrets.create_secret(Name="stripe", SecretString=json.dumps(keys))["ARN"],
            "PAYOUT_QUEUE_URL": "unused",
            "EDGE_SECRET_ARN": "edge",
            "SESSION_COOKIE": "__Host-admit-one",
            "PUBLIC_ORIGIN": "https://tickets.example.com",
            "MAIL_FROM": FROM,
            "MAIL_CONFIGURATION_SET": "mails",
            "SES_MESSAGES": f"{aws.url}/_ministack/ses/messages",
            "EMAIL_VERIFICATION": "optional",
            "JWT_SECRET_ARN": secrets.create_secret(Name="jwt", SecretString="0123456789abcdef" * 4)["ARN"],
        }

    def sandbox(self) -> "Sandbox":
        """Empty tables with unique names."""
        number = next(self._numbers)
        tables = {service: f"{service}-{number}" for service in self.definitions}
        for service, definition in self.definitions.items():
            self.database.create_table(
                TableName=tables[service],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                **definition,
            )
        return Sandbox(self, tables)

    def stream(self, table: str) -> Iterator[dict[str, Any]]:
        """The records of a table's stream from its beginning, in order."""
        arn = self.database.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        for shard in self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            following = self._streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while following:
                page = self._streams.get_records(ShardIterator=following)
                yield from page["Records"]
                following = page.get("NextShardIterator") if page["Records"] else None

    def race(self, race: Race) -> list[list[Any]]:
        """Let the worker pool run it."""
        to_pool, from_pool = cast("IO[bytes]", self._pool.stdin), cast("IO[bytes]", self._pool.stdout)
        began = time.monotonic()
        pickle.dump(race, to_pool)
        to_pool.flush()
        outcomes: list[list[Any]] = pickle.load(from_pool)  # noqa: S301  # from the worker pool that we started
        self.figures.seconds += time.monotonic() - began
        self.figures.calls += sum(map(len, race.runners))
        self.figures.processes += len(race.runners)
        return outcomes


@contextmanager
def open_environment(folder: Path, template: dict[str, Any]) -> Iterator[RaceEnvironment]:
    """Start everything on free ports of the loopback address; ended afterwards."""
    ports = Ports.free()
    with ExitStack() as stack:
        aws = LocalAws(port=ports.aws, scratch=folder / "scratch", logs=folder, state=None)
        stack.callback(aws.stop)
        command = [sys.executable, "-m", "stripe_emulator", "--port", str(ports.stripe)]
        stripe = Child("the local Stripe", command, log=folder / "stripe.log", environment=clean_environment())
        stack.callback(stripe.stop)
        url = f"http://{HOST}:{ports.stripe}"
        workers = stack.enter_context(_worker_pool(aws, url))
        until = time.monotonic() + 30
        while not Client(url).is_there():
            assert time.monotonic() < until, stripe.output()
            time.sleep(0.05)
        yield RaceEnvironment(aws, url, workers, template)


@contextmanager
def _worker_pool(aws: LocalAws, stripe_url: str) -> "Iterator[subprocess.Popen[bytes]]":
    environment = aws.environment() | {
        "STAGE": "races",
        "CURRENCY": "usd",
        "FEE_PERCENT": "5",
        "FEE_FIXED": "0",
        "PAYOUT_HOLD_SECONDS": "1",
        "ORDER_WINDOW_SECONDS": str(int(WINDOW.total_seconds())),
        "STRIPE_API_BASE": stripe_url,
        "POWERTOOLS_SERVICE_NAME": "races",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    workers = subprocess.Popen(  # ends with its standard input
        [sys.executable, "-c", "from tests.support import worker_pool; worker_pool.main()"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield workers
    finally:
        cast("IO[bytes]", workers.stdin).close()
        workers.wait(30)
        cast("IO[bytes]", workers.stdout).close()


@dataclass
class Sandbox:
    """Four tables, and the operations on them."""

    race_environment: RaceEnvironment
    tables: dict[str, str]
    seen: set[str] = field(default_factory=set)

    def race(
        self, runners: Sequence[Sequence[Invocation]], *, fault_profile: FaultProfile = NO_FAULTS, courier: bool = False
    ) -> list[list[Outcome]]:
        """Run all runners concurrently, each in its own process; returns the outcomes of each.

        With a courier, Orders decides on sellers' changes meanwhile, in one more process.
        """
        environment = self.race_environment.environment | {
            f"{name.upper()}_TABLE": table for name, table in self.tables.items()
        }
        jobs: list[Sequence[Job]] = [*runners, *([[Courier()]] if courier else [])]
        return self.race_environment.race(Race(environment, jobs, fault_profile))[: len(runners)]

    def at_once(
        self,
        calls: Sequence[Invocation],
        *,
        processes: int | None = None,
        fault_profile: FaultProfile = NO_FAULTS,
        courier: bool = False,
    ) -> list[Outcome]:
        """Distribute the calls over processes, by default one each; returns the outcomes in the calls' order."""
        count = min(processes or len(calls), len(calls))
        outcomes = self.race(
            [calls[number::count] for number in range(count)], fault_profile=fault_profile, courier=courier
        )
        return [outcomes[number % count][number // count] for number in range(len(calls))]

    def one(self, call: Invocation) -> Outcome:
        """Make one call without competition."""
        return self.at_once([call])[0]

    def on_sale(self, count: int, *, seller: Person | None = None, price: str = "10.00") -> list[str]:
        """Put `count` tickets on sale and return their ids; Orders knows them."""
        seller = seller or person()
        body = {"title": "Row 1, seat 1", "price": price}
        made = self.at_once([http("POST", "/api/tickets", body, by=seller) for _ in range(count)], processes=4)
        assert {outcome.status for outcome in made} == {201}
        self.settle()
        return [outcome.json["id"] for outcome in made]

    def ordered(self, tickets: Sequence[str], buyers: Sequence[Person]) -> list[dict[str, Any]]:
        """Place an order of each buyer for each ticket."""
        calls = [order(ticket, buyer) for ticket, buyer in zip(tickets, buyers, strict=True)]
        made = self.at_once(calls, processes=4)
        assert {outcome.status for outcome in made} == {201}
        return [outcome.json for outcome in made]

    def items(self, service: str) -> list[dict[str, Any]]:
        """All items of a service's table."""
        found: list[dict[str, Any]] = []
        for page in self.race_environment.database.get_paginator("scan").paginate(
            TableName=self.tables[service], ConsistentRead=True
        ):
            found += [
                {name: _plain(_DESERIALIZER.deserialize(value)) for name, value in item.items()}
                for item in page["Items"]
            ]
        return found

    def orders(self) -> list[dict[str, Any]]:
        """The orders in Orders' table."""
        return [item for item in self.items("orders") if item["sk"].startswith("order#")]

    def changes(self, service: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each write to an item of a service's table, in order: the item before and after it."""
        for record in self.race_environment.stream(self.tables[service]):
            images = record["dynamodb"]
            yield _from_dynamodb(images.get("OldImage", {})), _from_dynamodb(images.get("NewImage", {}))

    def published(self) -> list[dict[str, Any]]:
        """The events published since the last call, in EventBridge's form."""
        events = []
        for service in PUBLISHERS:
            for item in self.items(service):
                event = last_event(item)
                if event and event["id"] not in self.seen:
                    self.seen.add(event["id"])
                    events.append(envelope(event["type"], json.loads(event["detail"])))
        return events

    def settle(self, *, fault_profile: FaultProfile = NO_FAULTS) -> list[dict[str, Any]]:
        """Deliver all published events, and those published in consequence, until none is left; returns all of them."""
        delivered: list[dict[str, Any]] = []
        while events := self.published():
            delivered += events
            letters: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for event in events:
                for service in subscribers(event):
                    if service != "expiration":
                        letters[service].append(event)
            queue = [
                Invocation(f"{service}.listener", sqs_batch(*batch))
                for service, letter in letters.items()
                for batch in itertools.batched(letter, BATCH, strict=False)
            ]
            for receipt in range(RECEIPTS):
                now = fault_profile if fault_profile == NO_FAULTS else replace(fault_profile, seed=receipt)
                outcomes = self.at_once(queue, processes=4, fault_profile=now) if queue else []
                queue = [call for call, outcome in zip(queue, outcomes, strict=True) if not outcome.is_taken]
            assert not queue, "these would be in a dead-letter queue"
        return delivered

    def check(self) -> None:
        """Check the invariants of Orders' table: see `check_orders`."""
        check_orders(self.items("orders"))

    def stripe(self, path: str, form: str | None = None) -> Any:
        """Call the local Stripe as its owner."""
        return ask_stripe(self.race_environment.stripe_url, path, form)


def ask_stripe(url: str, path: str, form: str | None = None, *, method: str | None = None) -> Any:
    """Call the local Stripe as its owner and return the answer; with a form it is a POST, unless a method is given."""
    request = urllib.request.Request(  # noqa: S310  # our own local server
        f"{url}{path}",
        data=None if form is None else form.encode(),
        headers={"Authorization": f"Bearer {SECRET_KEY}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def check_orders(items: Sequence[Mapping[str, Any]]) -> None:
    """Check that at most one order claims a ticket, that it has the hold, and that every change was counted once."""
    orders: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        if item["sk"].startswith("order#"):
            orders[item["ticketID"]].append(item)
            data = json.loads(item["event"]["detail"])["data"]
            assert (data["id"], data["version"], data["status"]) == (item["id"], item["version"], item["status"])
    tickets = {item["id"]: item for item in items if item["sk"] == "ticket"}
    assert orders.keys() <= tickets.keys()
    for ticket_id, ticket in tickets.items():
        claims = [order for order in orders[ticket_id] if order["status"] != "cancelled"]
        assert len(claims) <= 1, claims
        assert ticket["holdNumber"] == sum(map(_changes, orders[ticket_id])), (ticket, orders[ticket_id])
        assert len({order["hold"] for order in orders[ticket_id]}) == len(orders[ticket_id])
        if not claims:
            assert not {"holdOrderID", "holdUserID", "holdExpiresAt", "sold"} & ticket.keys(), ticket
            continue
        [claim] = claims
        assert (ticket["holdOrderID"], ticket["holdUserID"]) == (claim["id"], claim["userID"])
        assert ticket["holdNumber"] == claim["hold"]
        deadline = claim["expiresAt"] if claim["status"] == "created" else None
        assert ticket.get("holdExpiresAt") == deadline, (ticket, claim)
        assert ticket.get("sold", False) is (claim["status"] in ("completed", "refunding"))


def _changes(order: Mapping[str, Any]) -> int:
    """How often an order has changed its ticket's hold."""
    match order["status"], order.get("reason"):
        case "created", _:
            return 1
        case "awaiting:payment", _:
            return 2
        case "cancelled", "expired" | "cancelled_by_buyer":
            return 2
        case "refunding", _:
            return 4
        case _:
            return 3


def person() -> Person:
    """A user that the authorizer knows."""
    return Person(UserID(new_id()), "someone@example.com")


def http(
    method: str,
    path: str,
    body: object = None,
    *,
    by: Person | None = None,
    at: datetime | None = None,
    key: str | None = None,
) -> Invocation:
    """A request in API Gateway's form."""
    headers = {"Idempotency-Key": key} if key else None
    event = http_event(method, path, body, by=by, headers=headers)
    return Invocation(function_of(path), event, at)


def receipt(buyer: Person, order_id: str) -> Invocation:
    """The event of a completed order, delivered to the mail sender."""
    ticket = {"id": new_id(), "title": "Row 1", "price": "10.00", "currency": "usd", "hold": 3}
    data = {"id": order_id, "version": 3, "status": "completed", "userID": buyer.id, "ticket": ticket}
    event = new_event("order:completed", data | {"expiresAt": "2026-11-23T12:05:00Z"})
    return Invocation("auth.mail_sender", sqs_batch(event))


def mails_to(address: str, messages_url: str) -> int:
    """The number of mails that the local SES has accepted for an address."""
    with urllib.request.urlopen(messages_url, timeout=30) as answer:  # noqa: S310  # the local AWS
        messages: dict[str, list[dict[str, Any]]] = json.loads(answer.read())["messages"]
    return sum(address in mail["To"] for mails in messages.values() for mail in mails)


def order(
    ticket: str, buyer: Person, *, price: str | None = None, at: datetime | None = None, key: str | None = None
) -> Invocation:
    """A buyer's order."""
    body = {"ticketID": ticket} | ({"price": price} if price else {})
    return http("POST", "/api/orders", body, by=buyer, at=at, key=key)


def delivery(service: str, event_type: str, data: Mapping[str, Any], *, at: datetime | None = None) -> Invocation:
    """An event of another service, delivered to a service's listener."""
    metadata = {
        "id": new_id(),
        "time": "2026-11-23T12:00:00.000Z",
        "version": 1,
        "correlationId": "race",
        "causationId": "race",
    }
    return Invocation(f"{service}.listener", sqs_batch(envelope(event_type, {"metadata": metadata, "data": data})), at)


def paid(event_type: str, placed: Mapping[str, Any], *, version: int = 1, at: datetime | None = None) -> Invocation:
    """An event of Payments for an order, delivered to Orders."""
    data = {"id": new_id(), "version": version, "orderId": placed["id"], "userID": placed["userID"], "stripeId": "pi_1"}
    if event_type == "payment:failed":
        data["reason"] = "canceled"
    return delivery("orders", event_type, data, at=at)


def expired(placed: Mapping[str, Any], *, at: datetime) -> Invocation:
    """The order's timer."""
    return delivery("orders", "expiration:completed", {"orderId": placed["id"], "userID": placed["userID"]}, at=at)


def webhook(notification: object, stamp: int | None = None) -> Invocation:
    """A webhook, signed now."""
    return _signed("/api/payments/webhook", notification, WEBHOOK_SECRET, stamp)


def account_webhook(account: Mapping[str, Any]) -> Invocation:
    """The webhook that reports a change of a connected account, signed now."""
    notification = {"type": "account.updated", "account": account["id"], "data": {"object": account}}
    return _signed("/api/payouts/webhook", notification, CONNECT_WEBHOOK_SECRET, None)


def _signed(path: str, notification: object, secret: str, stamp: int | None) -> Invocation:
    body = json.dumps(notification)
    signature = signature_header(body.encode(), secret, stamp or int(time.time()))
    event = http_event("POST", path, raw=body, headers={"Stripe-Signature": signature})
    return Invocation(function_of(path), event)


def _from_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(_DESERIALIZER.deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return int(value) if type(value).__name__ == "Decimal" else value
