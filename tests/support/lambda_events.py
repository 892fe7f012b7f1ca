"""The inputs of Lambda functions, in the form in which API Gateway, EventBridge and SQS deliver them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.ids import UserID, new_id

SUBSCRIPTIONS = {
    "ticket:created": ["orders"],
    "ticket:updated": ["orders"],
    "ticket:change-requested": ["orders"],
    "ticket:change-accepted": ["tickets"],
    "ticket:change-declined": ["tickets"],
    "order:created": ["tickets", "payments", "expiration"],
    "order:awaiting-payment": ["tickets", "payments", "expiration"],
    "order:completed": ["tickets", "payments"],
    "order:refund-requested": ["tickets", "payments"],
    "order:refunded": ["tickets", "payments"],
    "order:cancelled": ["tickets", "payments"],
    "expiration:completed": ["orders"],
    "payment:authorized": ["orders"],
    "payment:created": ["orders"],
    "payment:failed": ["orders"],
    "payment:voided": [],
    "payment:partly-refunded": ["orders"],
    "payment:refunded": ["orders"],
    "payout:created": [],
    "payout:reversed": [],
    "payout:blocked": [],
}
"""The services that follow each event. Auth, which only reports some by mail, is left out."""
DECIDED_CHANGES = ("edited", "withdrawn")  # the changes of ticket:updated that Orders subscribes to
WITH_TABLE = ("auth", "tickets", "orders", "payments")
PUBLISHERS = ("tickets", "orders", "payments")

CHANGE_EVENTS = frozenset({"ticket:change-requested", "ticket:change-accepted", "ticket:change-declined"})
"""The events with which Tickets and Orders decide a seller's change."""


@dataclass(frozen=True)
class Person:
    """A signed-in caller."""

    id: UserID
    email: str
    session_id: str = "session"
    email_verified: bool = True

    @property
    def context(self) -> dict[str, str]:
        """Return what the authorizer says of this caller."""
        return {
            "userID": self.id,
            "email": self.email,
            "emailVerified": str(self.email_verified).lower(),
            "sessionID": self.session_id,
        }


class LambdaContext:
    """The attributes of Lambda's context that are used."""

    function_name = "test"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id = "test"

    def __init__(self, remaining_seconds: float = 240) -> None:
        self._remaining_seconds = remaining_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the function is stopped, which does not pass."""
        return int(self._remaining_seconds * 1000)


def subscribers(event: dict[str, Any]) -> Iterator[str]:
    """Return the services whose listeners get this event."""
    if event["detail-type"] == "ticket:updated" and event["detail"]["data"]["change"] not in DECIDED_CHANGES:
        return
    yield from SUBSCRIPTIONS[event["detail-type"]]


def envelope(event_type: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    return {"detail-type": event_type, "source": "admit-one.test", "detail": detail}


def new_event(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of another service, as EventBridge delivers it."""
    metadata = {"id": new_id(), "time": "2026-11-23T12:00:00.000Z", "correlationId": "c", "causationId": "c"}
    return envelope(event_type, {"metadata": metadata, "data": data})


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
        event["requestContext"]["authorizer"] = {"lambda": by.context}
    return event


def function_of(path: str) -> str:
    """Return the function that handles the route of a path (`orders.api`)."""
    noun, *rest = path.partition("?")[0].strip("/").split("/")[1:]
    match noun, rest:
        case (("users" | "health"), _):
            return "auth.api"
        case "fee", _:
            return "tickets.api"
        case "payments", ["webhook"]:
            return "payments.webhook"
        case "payouts", ["webhook"]:
            return "payments.payouts_webhook"
        case "payouts", _:
            return "payments.payouts_api"
        case _:
            return f"{noun}.api"


def route_of(path: str) -> str:
    """Return the route that API Gateway would choose for a path."""
    match path.strip("/").split("/"):
        case ["api", "tickets", "mine"] | ["api", "payments", "webhook"] | ["api", "users", _]:
            return path
        case ["api", "users", "sessions", _]:
            return "/api/users/sessions/{id}"
        case ["api", "orders" | "tickets" as noun, _, act]:
            return f"/api/{noun}/{{id}}/{act}"
        case ["api", "payments", _]:
            return "/api/payments/{orderId}"
        case ["api", ("tickets" | "orders") as noun, _]:
            return f"/api/{noun}/{{id}}"
        case _:
            return path
