"""The five services side by side on moto, called as API Gateway and SQS call them."""

import importlib
import json
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from shared.events import last_event
from shared.ids import UserID, new_id
from tests.support.fake_clock import FakeClock
from tests.support.functions import CalledFunctions
from tests.support.lambda_events import (
    CHANGE_EVENTS,
    PUBLISHERS,
    SUBSCRIPTIONS,
    LambdaContext,
    Person,
    envelope,
    function_of,
    http_event,
    sqs_batch,
    subscribers,
)
from tests.support.moto_tables import MotoTables
from tests.support.ses import Ses
from tests.support.work_queues import WORKERS, WorkQueues


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: list[str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """Return the problem's code."""
        assert self.headers["Content-Type"] == "application/problem+json", self.text
        return str(self.json["code"])


class World:
    """The calls, events and tables of one test.

    While a seller's call waits, Orders decides the change, unless `orders_decides` is false. `ses` has the mails, in
    tests that need them, and `services` the functions that Auth calls.
    """

    ses: Ses
    services: CalledFunctions

    def __init__(self, tables: MotoTables, time: FakeClock, patch: pytest.MonkeyPatch) -> None:
        self.tables = tables
        self.time = time
        self.orders_decides = True
        self.queues = WorkQueues(patch)
        self._patch = patch
        self._seen: set[str] = set()
        time.meanwhile = self._meanwhile

    def person(self, email: str = "someone@example.com") -> Person:
        """Create a caller whom the authorizer accepts."""
        return Person(UserID(new_id()), email)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        by: Person | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | None = None,
        route: str | None = None,
        source_ip: str = "203.0.113.7",
    ) -> Response:
        """Call a route as API Gateway does; `raw` sends a body as it is."""
        event = http_event(method, path, body, by=by, headers=headers, raw=raw, route=route, source_ip=source_ip)
        response = self.invoke(function_of(path), event)
        return Response(
            response["statusCode"], response.get("headers", {}), response.get("body") or "", response.get("cookies", [])
        )

    def invoke(self, function: str, event: object, *, context: LambdaContext | None = None) -> Any:
        """Run a function (`orders.listener`) with its table in its environment."""
        service = function.partition(".")[0]
        outside = os.environ.get("TABLE_NAME")
        if service in self.tables:
            self._patch.setenv("TABLE_NAME", service)
        module = importlib.import_module(f"functions.{function}")
        api = getattr(module, "api", None)
        request = dict(api.context) if api else {}
        try:
            return module.handler(event, context or LambdaContext())
        finally:  # restore the state of the function that waits while this one ran
            if outside:
                self._patch.setenv("TABLE_NAME", outside)
            if api:
                api.context.update(request)

    def repair(self, finder: str, *, context: LambdaContext | None = None) -> list[dict[str, str]]:
        """Run a scheduled function (`payments.reconciler`), and its worker on each task; return the failed tasks."""
        self.invoke(finder, {}, context=context)
        return self.perform_tasks()

    def perform_tasks(self) -> list[dict[str, str]]:
        """Run the workers on each queued task; return the tasks that return to their queue."""
        return [
            task
            for worker in WORKERS.values()
            for task in self.queues.take(worker)
            if self.invoke(worker, sqs_batch(task))["batchItemFailures"]
        ]

    def items(self, service: str) -> list[dict[str, Any]]:
        """Return all items of a service's table."""
        return self.tables.items(service)

    def published(self, types: Container[str] = SUBSCRIPTIONS) -> list[dict[str, Any]]:
        """Return the events published since the last call, as EventBridge delivers them, in no particular order."""
        events = []
        for service in PUBLISHERS:
            for item in self.items(service):
                event = last_event(item)
                if event and event["type"] in types and event["id"] not in self._seen:
                    self._seen.add(event["id"])
                    events.append(envelope(event["type"], json.loads(event["detail"])))
        return sorted(events, key=lambda event: event["detail"]["metadata"]["id"])

    def deliver(self, event: dict[str, Any], to: str) -> bool:
        """Deliver one event to one listener; return whether it was handled."""
        answer = self.invoke(f"{to}.listener", sqs_batch(event))
        return not answer["batchItemFailures"]

    def decide_changes(self) -> None:
        """Deliver sellers' change requests to Orders, and its decisions to Tickets."""
        while events := self.published(CHANGE_EVENTS):
            for event in events:
                for service in subscribers(event):
                    assert self.deliver(event, service), (service, event)

    def _meanwhile(self) -> None:
        if self.orders_decides:
            self.decide_changes()

    def settle(self, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Deliver published events, and those that follow from them, until none is left; return all of them."""
        delivered = []
        while events := self.published():
            for event in events:
                delivered.append(event)
                for service in subscribers(event):
                    if service not in without:
                        assert self.deliver(event, service), (service, event)
        return delivered
