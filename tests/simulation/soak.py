"""`make soak MINUTES=n`: load and faults on the local stack, then the simulation's invariants on its tables.

Sellers and buyers act at a steady rate over real HTTP. microburst between the functions and the local AWS injects
faults into their calls. At the end the faults stop, and the invariants for a system at rest are checked on the real
tables, the queues and the local Stripe.
"""

import argparse
import json
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.api_client import ApiUnreachable, Client, Response
from local.stack import LocalStack, temporary_stack
from stripe_emulator import StripeAccount
from tests.simulation.invariants import InvariantViolation, Item, check_at_rest
from tests.support.faulty_aws import faults_between

WINDOW_SECONDS = 30
SELLERS = 4
BUYERS = 12
STORIES_PER_SECOND = 1.5
WORKERS = 24
RETRIES = 12
SETTLES_WITHIN = 900.0
"""Seconds after the last fault: the sweep and the reconciler run every few minutes and wait for a grace period."""

WRITES = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "PutEvents", "CreateSchedule", "DeleteSchedule"]
FAULTS: list[dict[str, Any]] = [
    {"service": "*", "probability": 0.01, "error": {"code": "ThrottlingException", "status": 400}},
    {"service": "*", "probability": 0.01, "error": {"code": "InternalServerError", "status": 500}},
    {"service": "*", "probability": 0.01, "reset": True},
    {"service": "*", "probability": 0.002, "timeout_ms": 5_000},
    *(
        {"service": "*", "operation": operation, "probability": 0.01, "response": {"abort_bytes": 0}}
        for operation in WRITES
    ),
]
"""About 3 % of calls fail before they take effect, and 1 % of writes take effect without a response."""


@dataclass
class Report:
    """What has happened so far."""

    responses: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    retries: int = 0
    unanswered: int = 0
    """Requests that failed in every attempt."""


@dataclass
class Marketplace:
    """The users of the stack and the tickets that they have created."""

    stack: LocalStack
    random: Random
    report: Report
    sellers: Sequence[Client]
    buyers: Sequence[Client]
    tickets: list[tuple[Client, str]] = field(default_factory=list)

    def request(self, caller: Client, method: str, path: str, body: object = None) -> Response | None:
        """Send a request, and repeat it under its key as a client does; None if no attempt was answered for good."""
        key = {"Idempotency-Key": secrets.token_hex(8)} if method != "GET" else {}
        for attempt in range(RETRIES):
            began = time.monotonic()
            try:
                response = caller.call(method, path, body, headers=key)
            except ApiUnreachable:
                response = None
            if response and not _is_retryable(response):
                self.report.milliseconds.append((time.monotonic() - began) * 1000)
                what = f"{method} {'/'.join(path.split('/')[:3])}"
                self.report.responses[f"{what} {response.status} {response.code or ''}".rstrip()] += 1
                return response
            self.report.retries += 1
            time.sleep(min(0.2 * 2**attempt, 3.0))
        self.report.unanswered += 1
        return None

    def sell(self) -> None:
        seller = self.random.choice(self.sellers)
        body = {"title": f"Once, {secrets.token_hex(8)}", "price": f"{self.random.randint(5, 500)}.00"}
        created = self.request(seller, "POST", "/api/tickets", body)
        if created and created.status == HTTPStatus.CREATED:
            self.tickets.append((seller, created.body["id"]))

    def edit(self) -> None:
        if self.tickets:
            seller, ticket = self.random.choice(self.tickets[-20:])
            body = {"title": f"Once, {secrets.token_hex(8)}", "price": f"{self.random.randint(5, 500)}.00"}
            self.request(seller, "PUT", f"/api/tickets/{ticket}", body)

    def withdraw(self) -> None:
        if self.tickets:
            seller, ticket = self.random.choice(self.tickets[-20:])
            self.request(seller, "DELETE", f"/api/tickets/{ticket}")

    def order(self) -> None:
        """Order a recent ticket, and then pay, pay with a declined card first, cancel, or let the hold lapse."""
        if not self.tickets:
            return
        buyer, (_, ticket) = self.random.choice(self.buyers), self.random.choice(self.tickets[-20:])
        placed = self.request(buyer, "POST", "/api/orders", {"ticketID": ticket})
        if not placed or placed.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            return
        order = placed.body["id"]
        outcome = self.random.choices(["pay", "declined", "cancel", "lapse", "late"], [55, 10, 10, 15, 10])[0]
        if outcome == "late":
            time.sleep(self.random.uniform(0.9, 1.1) * WINDOW_SECONDS)
        if outcome == "declined":
            self.request(buyer, "POST", "/api/payments", {"orderId": order, "token": "tok_chargeDeclined"})
        if outcome in ("pay", "declined", "late"):
            self.request(buyer, "POST", "/api/payments", {"orderId": order, "token": "tok_visa"})
        if outcome == "cancel":
            self.request(buyer, "DELETE", f"/api/orders/{order}")
        self.request(buyer, "GET", f"/api/orders/{order}")

    def browse(self) -> None:
        self.request(self.random.choice(self.buyers), "GET", "/api/tickets?limit=20")


SCENARIOS: dict[Callable[[Marketplace], None], int] = {
    Marketplace.sell: 25,
    Marketplace.edit: 8,
    Marketplace.withdraw: 2,
    Marketplace.order: 50,
    Marketplace.browse: 15,
}
"""Each scenario and its share of all."""


class DeployedDatabase:
    """The tables of the deployed stack. The order of published versions is not observed here."""

    published_versions: Mapping[tuple[str, str], list[int]] = {}  # empty for all
    streams: Mapping[str, list[Any]] = {}

    def __init__(self, stack: LocalStack) -> None:
        self._client = stack.aws.dynamodb()
        self._from_dynamodb = TypeDeserializer().deserialize

    def names(self) -> list[str]:
        return self._client.list_tables()["TableNames"]

    def items(self, name: str) -> list[Item]:
        pages = self._client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        return [
            {attribute: self._plain(value) for attribute, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]

    def _plain(self, value: Any) -> Any:
        plain = self._from_dynamodb(value)
        return json.loads(json.dumps(plain, default=int))  # numbers are integers in our tables


@dataclass
class WaitingMessages:
    """The number of messages in a queue, as a list-like object."""

    messages: range


class DeployedCloud:
    """The deployed stack in the form in which the invariants read the simulated one."""

    timers: Sequence[str] = ()
    holds_per_buyer = 10  # the default of a stage
    email_verification = "optional"  # on the local stage

    def __init__(self, stack: LocalStack) -> None:
        self.database = DeployedDatabase(stack)
        self._sqs = stack.aws.queues()
        self._tables = self.database.names()

    @property
    def queues(self) -> dict[str, WaitingMessages]:
        """The queues that functions consume, with the messages that wait or are being received."""
        return {name: WaitingMessages(range(count)) for name, is_consumed, count in self._counts() if is_consumed}

    def set_aside(self) -> int:
        """Return the number of messages in dead-letter queues."""
        return sum(count for _, is_consumed, count in self._counts() if not is_consumed)

    def table(self, service: str) -> str:
        """Return the name of a service's table."""
        (name,) = (name for name in self._tables if f"{service.title()}" in name)
        return name

    def _counts(self) -> Iterator[tuple[str, bool, int]]:
        """Yield the name of each queue, whether it has a dead-letter queue of its own, and its number of messages."""
        for url in self._sqs.list_queues().get("QueueUrls", []):
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            waiting = int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])
            yield url.rpartition("/")[2], "RedrivePolicy" in found, waiting


def soak(marketplace: Marketplace, *, seconds: float) -> None:
    """Start scenarios at a steady rate for this time, whether or not the earlier ones have ended."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(WORKERS) as workers:
        running = []
        while time.monotonic() < until:
            (scenario,) = marketplace.random.choices(list(SCENARIOS), list(SCENARIOS.values()))
            running.append(workers.submit(scenario, marketplace))
            time.sleep(1 / STORIES_PER_SECOND)
        for ended in running:
            ended.result()


def check_until_at_rest(stack: LocalStack, *, began: float) -> str:
    """Check the invariants for a system at rest until they hold; return what was checked.

    Raises InvariantViolation if one still does not hold after SETTLES_WITHIN.
    """
    cloud = DeployedCloud(stack)
    shown = ""
    while True:
        set_aside = cloud.set_aside()
        try:
            with _local_stripe(stack) as stripe:
                check_at_rest(cloud, stripe, None, by_hand=frozenset(), lost_messages=set_aside)
        except InvariantViolation as violation:
            if time.monotonic() > began + SETTLES_WITHIN:
                raise
            if str(violation) != shown:
                shown = str(violation)
                print(f"  not at rest: {shown}", flush=True)
            time.sleep(5)
            continue
        orders = Counter(
            item["status"] for item in cloud.database.items(cloud.table("orders")) if item["sk"].startswith("order#")
        )
        return f"{dict(orders)} orders, {set_aside} messages set aside"


@contextmanager
def _local_stripe(stack: LocalStack) -> Iterator[StripeAccount]:
    """The account of the running local Stripe, read from a copy of its journal."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "stripe.json"
        shutil.copyfile(stack.folder / "stripe.json", copy)
        account = StripeAccount(state=copy)
        try:
            yield account
        finally:
            account.close()


def main() -> int:
    """Run the soak; return 1 if an invariant is violated."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="duration of the load")
    parser.add_argument("--seed", type=int, default=0, help="seed of the scenarios")
    args = parser.parse_args()
    report = Report()
    print("Starting the local stack ...", flush=True)
    with temporary_stack("soak", order_window_seconds=WINDOW_SECONDS, keep=True) as stack:
        marketplace = Marketplace(
            stack,
            Random(args.seed),  # noqa: S311  # not a secret
            report,
            sellers=[_user(stack, f"seller-{number}") for number in range(SELLERS)],
            buyers=[_user(stack, f"buyer-{number}") for number in range(BUYERS)],
        )
        with faults_between(stack, stack.logs) as set_rules:
            set_rules(FAULTS)
            print(
                f"{args.minutes:g} minutes of load with faults, since {datetime.now(UTC):%H:%M:%S} UTC ...", flush=True
            )
            began = time.monotonic()
            soak(marketplace, seconds=args.minutes * 60)
            seconds = time.monotonic() - began
            faults = set_rules([])
            _print_report(report, seconds, faults)
            began = time.monotonic()
            try:
                checked = check_until_at_rest(stack, began=began)
            except InvariantViolation as violation:
                print(f"\nAn invariant is violated: {violation}\nThe logs are in {stack.logs}")
                return 1
            print(f"\nAt rest after {time.monotonic() - began:.0f} s, all invariants hold: {checked}.")
    return 0


def _print_report(report: Report, seconds: float, faults: int) -> None:
    answered = sum(report.responses.values())
    slowest = statistics.quantiles(report.milliseconds, n=100)
    print(
        f"{answered} requests in {seconds:.0f} s ({answered / seconds:.1f} a second), {faults} faults injected,"
        f" {report.retries} retries, {report.unanswered} requests unanswered after {RETRIES} attempts;"
        f" median {slowest[49]:.0f} ms, 99th percentile {slowest[98]:.0f} ms"
    )
    for what, number in sorted(report.responses.items()):
        print(f"  {number:6} {what}")


def _is_retryable(response: Response) -> bool:
    return (
        response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or response.status in (HTTPStatus.ACCEPTED, HTTPStatus.TOO_MANY_REQUESTS)
        or response.code == "idempotency_in_progress"
        or (response.status == HTTPStatus.NOT_FOUND and "retry-after" in response.headers)
    )


def _user(stack: LocalStack, name: str) -> Client:
    return stack.api.sign_up_or_in(f"{name}@example.com", "correct horse battery")


if __name__ == "__main__":
    sys.exit(main())
