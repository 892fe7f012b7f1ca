"""One case: an isolated environment, one operation, one fault during it, and a check of the result."""

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import boto3

from functions.auth.keys import key_ring
from functions.payments import payout_gateway, stripe_gateway
from shared import aws, clock, settings
from shared.idempotency import LEASE
from tests.fault_injection.fault_proxy import Fault, bypassing_the_proxy, faulty
from tests.support.functions import NAMES, in_process
from tests.support.lambda_events import CHANGE_EVENTS, Person
from tests.support.race_environment import _from_dynamodb, delivery, http, person
from tests.support.worker_pool import Invocation, Outcome, run_call


@dataclass(frozen=True, slots=True)
class Act:
    """The operation under test, and what must be true once its caller has had a good answer.

    `meanwhile` is called while the operation sleeps.
    """

    call: Invocation
    right: Callable[[Outcome], None]
    good: tuple[int, ...] = ()
    meanwhile: Callable[[], None] = lambda: None


class FaultCase:
    """Separate tables on the local AWS, reached without faults."""

    def __init__(self, environment: Mapping[str, str], name: str) -> None:
        self.name = name
        definitions: dict[str, Any] = json.loads(environment["TABLES"])
        self.environment = dict(environment) | NAMES | {f"{s.upper()}_TABLE": f"{s}-{name}" for s in definitions}
        self._definitions = definitions
        self._made: set[str] = set()
        self._decided: set[str] = set()
        self.seller, self.buyer = person(), person()
        setattr(aws, "functions", lambda: in_process(self.environment))  # noqa: B010  # mypy refuses an assignment

    def table(self, *services: str) -> None:
        """Create the tables of these services, and the queue of Auth's mails."""
        if "auth" in services:
            queue = boto3.client("sqs").create_queue(QueueName=f"mails-{self.name}")
            self.environment |= {"MAIL_QUEUE_URL": queue["QueueUrl"]}
        for service in services:
            aws.dynamodb().create_table(
                TableName=f"{service}-{self.name}", BillingMode="PAY_PER_REQUEST", **self._definitions[service]
            )

    def run(self, call: Invocation) -> Outcome:
        """Make a call without faults."""
        settings.load.cache_clear()
        os.environ.update(self.environment)
        return run_call(call, self.environment)

    def http(self, method: str, path: str, body: object = None, *, by: Person | None = None) -> Any:
        """Send a request that must succeed, and return its answer."""
        outcome = self.run(http(method, path, body, by=by))
        assert outcome.status < 300, outcome.answer
        return outcome.json if outcome.answer["body"] else None

    def deliver(self, service: str, event_type: str, data: Mapping[str, Any]) -> None:
        """Deliver an event that the listener must accept."""
        assert self.run(delivery(service, event_type, data)).is_taken

    def decide_changes(self) -> None:
        """Let Orders decide on requested changes, and Tickets receive the decision, while Tickets' API waits."""
        table, now = os.environ["TABLE_NAME"], clock.now
        with bypassing_the_proxy():
            for publisher, subscriber in (("tickets", "orders"), ("orders", "tickets")):
                for item in self.items(publisher, "ticket#"):
                    event = item.get("event", {"id": "", "type": ""})
                    if event["type"] in CHANGE_EVENTS and event["id"] not in self._decided:
                        self.deliver(subscriber, event["type"], json.loads(event["detail"])["data"])
                        self._decided.add(event["id"])
        os.environ["TABLE_NAME"], clock.now = table, now
        settings.load.cache_clear()

    def items(self, service: str, prefix: str = "") -> list[dict[str, Any]]:
        """The items in a service's table whose key starts with the prefix."""
        found = aws.dynamodb().scan(TableName=f"{service}-{self.name}", ConsistentRead=True)["Items"]
        return [item for item in map(_from_dynamodb, found) if item["pk"].startswith(prefix)]

    def event_of(self, service: str, prefix: str, event_type: str) -> dict[str, Any]:
        """The data of the last event of the only item with that event type."""
        [item] = [i for i in self.items(service, prefix) if "event" in i and i["event"]["type"] == event_type]
        data: dict[str, Any] = json.loads(item["event"]["detail"])["data"]
        return data


_now = clock.now


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a case: the first answer, the `way` in which it succeeded, or what was wrong."""

    calls: list[str]
    answer: str
    way: str
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """An operation and a fault, executed by a runner of the worker pool."""

    operation: str
    fault: Fault | None
    name: str

    def run(self, environment: Mapping[str, str]) -> Verdict:
        """Set up the case, run the operation, retry as its caller would, and check."""
        from tests.fault_injection.operations import OPERATIONS

        answers: list[str] = []
        calls: list[str] = []
        clock.now = _now  # the runner's last case may have left the clock ahead
        try:
            fault_case = FaultCase(environment, self.name)
            act = OPERATIONS[self.operation](fault_case)
            os.environ.update(fault_case.environment)
            _forget()
            with patch.object(clock, "sleep", lambda seconds: _sleep(seconds, act.meanwhile)):
                with faulty(environment["FAULTY_ENDPOINT"], self.fault) as calls:
                    outcome = run_call(act.call, fault_case.environment)
                answers.append(_answer(outcome))
                for call in _repeats(act.call):
                    if _is_good(outcome, act):
                        break
                    outcome = fault_case.run(call)
                    answers.append(_answer(outcome))
            assert _is_good(outcome, act), f"never succeeded: {answers} {outcome.crash or outcome.answer}"
            act.right(outcome)
        except Exception:
            return Verdict(calls, " ".join(answers), "WRONG", traceback.format_exc())
        way = ("at once", "on repeating", "after the lease")[len(answers) - 1]
        return Verdict(calls, answers[0], way)


def _repeats(call: Invocation) -> list[Invocation]:
    """The same call again, and once more after the lease of a dead process on the key has expired."""
    at = call.at or clock.now()
    return [call, replace(call, at=at + LEASE + timedelta(seconds=1))]


def _sleep(seconds: float, meanwhile: Callable[[], None]) -> None:
    time.sleep(seconds)
    meanwhile()


def _forget() -> None:
    """Clear the caches that a new process would not have."""
    settings.load.cache_clear()
    key_ring.cache_clear()
    stripe_gateway._cached = stripe_gateway._CachedKeys()
    payout_gateway._cached = payout_gateway._CachedKeys()


def _answer(outcome: Outcome) -> str:
    match outcome:
        case Outcome(crash=str()):
            return "raised"
        case Outcome({"statusCode": status}):
            return str(status)
        case Outcome({"batchItemFailures": failures}):
            return "redelivered" if failures else "taken"
        case _:
            return "done"


def _is_good(outcome: Outcome, act: Act) -> bool:
    answer = _answer(outcome)
    return answer in ("taken", "done") or answer in map(str, act.good)
