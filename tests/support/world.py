"""The five services side by side on moto, called as API Gateway and SQS call them."""

import importlib
import itertools
import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.ids import UserID, new_id
from tests.support.moto_tables import Tables

SUBSCRIPTIONS = {
    "ticket:created": ["orders"],
    "ticket:updated": ["orders"],
    "ticket:change-requested": ["orders"],
    "ticket:change-accepted": ["tickets"],
    "ticket:change-declined": ["tickets"],
    "order:created": ["tickets", "payments", "expiration"],
    "order:awaiting-payment": ["tickets", "payments"],
    "order:completed": ["tickets", "payments"],
    "order:refunded": ["tickets", "payments"],
    "order:cancelled": ["tickets", "payments"],
    "expiration:completed": ["orders"],
    "payment:authorized": ["orders"],
    "payment:created": ["orders"],
    "payment:failed": ["orders"],
    "payment:voided": [],
    "payment:partly-refunded": ["orders"],
    "payment:refunded": ["orders"],
}
SELLERS_WORDS = ("edited", "withdrawn")  # the changes of ticket:updated that Orders subscribes to
TOLD_BY = ("tickets", "orders", "payments")


CHANGES = frozenset({"ticket:change-requested", "ticket:change-accepted", "ticket:change-declined"})
"""The events with which Tickets and Orders decide a seller's change."""


class Clock:
    """A clock that moves only when advanced. `meanwhile` is called while a function sleeps."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.ticks = itertools.count()
        self.meanwhile: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(milliseconds=round(seconds * 1000))
        self.meanwhile()

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)


@dataclass(frozen=True)
class Answer:
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


@dataclass(frozen=True)
class Person:
    """A signed-in caller."""

    id: UserID
    email: str


class World:
    """The calls, events and tables of one test.

    While a seller's call waits, Orders decides the change, unless `orders_decides` is false.
    """

    def __init__(self, tables: Tables, time: Clock, patch: pytest.MonkeyPatch) -> None:
        self.tables = tables
        self.time = time
        self.orders_decides = True
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
        function: str | None = None,
        source_ip: str = "203.0.113.7",
    ) -> Answer:
        """Call a route as API Gateway does; `raw` sends a body as it is."""
        noun = path.split("/")[2].partition("?")[0]
        service = "auth" if noun in ("users", "health") else noun
        event = http_event(method, path, body, by=by, headers=headers, raw=raw, route=route, source_ip=source_ip)
        response = self.invoke(f"{service}.{function or 'api'}", event)
        return Answer(
            response["statusCode"], response.get("headers", {}), response.get("body") or "", response.get("cookies", [])
        )

    def invoke(self, function: str, event: object) -> Any:
        """Run a function (`orders.listener`) with its table in its environment."""
        service = function.partition(".")[0]
        outside = os.environ.get("TABLE_NAME")
        if service in self.tables:
            self._patch.setenv("TABLE_NAME", service)
        handler = importlib.import_module(f"functions.{function}").handler
        try:
            return handler(event, Context())
        finally:
            if outside:  # this function ran while another one waits
                self._patch.setenv("TABLE_NAME", outside)

    def items(self, service: str) -> list[dict[str, Any]]:
        """Return all items of a service's table."""
        return self.tables.items(service)

    def told(self, types: Container[str] = SUBSCRIPTIONS) -> list[dict[str, Any]]:
        """Return the events published since the last call, as EventBridge delivers them, in no particular order."""
        events = []
        for service in TOLD_BY:
            for item in self.items(service):
                event = item.get("event")
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
        while events := self.told(CHANGES):
            for event in events:
                for service in subscribers(event):
                    assert self.deliver(event, service), (service, event)

    def _meanwhile(self) -> None:
        if self.orders_decides:
            self.decide_changes()

    def settle(self, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Deliver published events, and those that follow from them, until none is left; return all of them."""
        delivered = []
        while events := self.told():
            for event in events:
                delivered.append(event)
                for service in subscribers(event):
                    if service not in without:
                        assert self.deliver(event, service), (service, event)
        return delivered


class Context:
    """The attributes of Lambda's context that are used."""

    function_name = "test"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id = "test"


def subscribers(event: dict[str, Any]) -> Iterator[str]:
    """Return the services whose listeners get this event."""
    if event["detail-type"] == "ticket:updated" and event["detail"]["data"]["change"] not in SELLERS_WORDS:
        return
    yield from SUBSCRIPTIONS[event["detail-type"]]


def envelope(event_type: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    return {"detail-type": event_type, "source": "admit-one.test", "detail": detail}


def sqs_batch(*events: Mapping[str, Any]) -> dict[str, Any]:
    """Return events as a batch from a queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": json.dumps(event),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
                "awsRegion": "us-east-1",
            }
            for number, event in enumerate(events)
        ]
    }


def http_event(
    method: str,
    path: str,
    body: object = None,
    *,
    by: Person | None = None,
    headers: Mapping[str, str] | None = None,
    raw: str | None = None,
    route: str | None = None,
    source_ip: str = "203.0.113.7",
) -> dict[str, Any]:
    """Return a request in the HTTP API's payload format 2.0."""
    plain, _, query = path.partition("?")
    sent = raw if raw is not None else (json.dumps(body) if body is not None else None)
    all_headers = {name.lower(): value for name, value in (headers or {}).items()}
    if sent is not None:
        all_headers.setdefault("content-type", "application/json")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route or f"{method} {route_of(plain)}",
        "rawPath": plain,
        "rawQueryString": query,
        "headers": all_headers,
        "requestContext": {
            "requestId": f"request-{new_id()}",
            "stage": "$default",
            "http": {"method": method, "path": plain, "sourceIp": source_ip},
        },
        "body": sent,
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(pair.partition("=")[::2] for pair in query.split("&"))
    if by:
        event["requestContext"]["authorizer"] = {"lambda": {"userID": by.id, "email": by.email}}
    return event


def route_of(path: str) -> str:
    """Return the route that API Gateway would choose for a path."""
    match path.strip("/").split("/"):
        case ["api", "tickets", "mine"] | ["api", "payments", "webhook"] | ["api", "users", _]:
            return path
        case ["api", "payments", _]:
            return "/api/payments/{orderId}"
        case ["api", ("tickets" | "orders") as noun, _]:
            return f"/api/{noun}/{{id}}"
        case _:
            return path
