"""Reads of one ticket by many buyers at once, on the local stack: how many of them reach the API behind the edge.

The edge proxy caches as CloudFront does, but in one place: CloudFront asks the API once a second for each of its
regional caches.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from benchmarks.result import Result
from local.stack import LOCAL, LocalStack, temporary_stack

READERS = 50
SECONDS = 10
PAUSE_SECONDS = 0.1
ROUTE = '"route":"GET /api/tickets/{id}"'


def measure() -> list[Result]:
    """Reads a second of 50 readers, and those that reach the API."""
    with temporary_stack("rush-reads", order_window_seconds=300, logs=LOCAL / "logs" / "rush-reads") as stack:
        seller = stack.api.sign_up_or_in("seller@example.com", "correct horse battery")
        ticket = seller.post("/api/tickets", {"title": "Row 1", "price": "10.00"}).expect(HTTPStatus.CREATED)["id"]
        with ThreadPoolExecutor(READERS) as readers:
            until = time.monotonic() + SECONDS
            reads = sum(readers.map(lambda _: _read(stack, ticket, until), range(READERS)))
        reached = _reads_at_the_api(stack)
    return [
        Result(what=f"one ticket read by {READERS}: reads", figure=reads / SECONDS, unit="a second"),
        Result(
            what=f"one ticket read by {READERS}: those that reach the API",
            figure=reached / SECONDS,
            unit="a second",
            target=1,
        ),
    ]


def _read(stack: LocalStack, ticket: str, until: float) -> int:
    """Read the ticket until then, as a browser that polls too fast, and return how often."""
    reads = 0
    while time.monotonic() < until:
        stack.api.call("GET", f"/api/tickets/{ticket}").expect(HTTPStatus.OK)
        reads += 1
        time.sleep(PAUSE_SECONDS)
    return reads


def _reads_at_the_api(stack: LocalStack) -> int:
    """The reads of a ticket in the logs of the functions."""
    logs = stack.aws.logs()
    return sum(
        ROUTE in event["message"].replace(": ", ":")
        for group in logs.describe_log_groups()["logGroups"]
        for stream in logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]
        for event in logs.get_log_events(
            logGroupName=group["logGroupName"], logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    )
