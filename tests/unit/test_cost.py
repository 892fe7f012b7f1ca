"""The calculation of the bill, with counts and prices that are easy to check by hand."""

import json
from typing import Any

import pytest

from benchmarks import cost, report
from benchmarks.cost import bill
from metering import counts
from metering.counts import Row

PRICES: dict[str, Any] = {
    "prices": {
        name: {"dollars": 1, "per": 1_000_000, "unit": name}
        for name in (
            *("tableWrite", "indexWrite", "read", "streamRead", "queueRequest", "event", "timer", "request", "run"),
            *("gigabyteSecond", "trace", "edgeRequest", "edgeFunction", "edgeGigabyte"),
        )
    },
    "assumptions": {
        "milliseconds": {"api": 100, "webhook": 100, "relay": 100, "listener": 100, "expire": 100},
        "millisecondsForEachStripeCall": 500,
        "sampledByXRay": 0.1,
        "bytesOfAnAnswer": 1000,
        "messagesInABatch": 1,
        "recordsInABatch": 1,
    },
}
MEMORY = {"payments.webhook": 2048}


def row(function: str, trigger: str = "", **more: Any) -> Row:
    nothing: dict[str, Any] = {
        "runs": 1,
        "calls": {},
        "reads": 0.0,
        "table_writes": 0,
        "index_writes": {},
        "events": 0,
        "stripe_calls": {},
    }
    return Row(function=function, trigger=trigger, **(nothing | more))


def dollars(*rows: Row, **assumed: object) -> dict[str, Any]:
    """Return the lines with a cost above zero. At a dollar a million, each equals the units that one order uses."""
    prices = PRICES | {"assumptions": PRICES["assumptions"] | assumed}
    return {line.what: pytest.approx(line.dollars) for line in bill(rows, prices, MEMORY) if line.dollars}


def test_a_request_pays_for_edge_api_and_function() -> None:
    assert dollars(row("orders.api", "POST /api/orders", table_writes=4, index_writes={"open": 1}, reads=0.5)) == {
        "table writes": 4,
        "index writes": 1,
        "reads": 0.5,
        "API Gateway": 1,
        "Lambda: runs": 1,
        "Lambda: the rest": 0.1,
        "X-Ray": 0.1,
        "CloudFront: requests": 1,
        "CloudFront: functions": 1,
        "CloudFront: answers": 1e-6,
    }


def test_a_webhook_skips_the_edge_and_pays_for_waiting() -> None:
    """The function's whole memory is paid for while it waits for Stripe."""
    costs = dollars(row("payments.webhook", cost.DIRECT, runs=2, stripe_calls={"get": 3, "post": 1}))

    assert costs["Lambda: waiting for Stripe"] == 4 * 0.5 * 2
    assert costs["Lambda: the rest"] == 2 * 0.1, "compute time costs the same at any memory size"
    assert costs["API Gateway"] == 2
    assert "CloudFront: requests" not in costs


def test_an_event_pays_for_the_bus_and_three_requests_a_message() -> None:
    costs = dollars(row("orders.relay", events=1), row("orders.listener", "ticket:created", runs=2))

    assert (costs["EventBridge"], costs["SQS"], costs["streams"]) == (1, 6, 1)
    assert costs["Lambda: the rest"] == 0.1 + 0.2


def test_batched_messages_share_the_cost_of_a_batch() -> None:
    costs = dollars(row("orders.listener", "ticket:created", runs=2), messagesInABatch=10)

    assert costs["SQS"] == 2.4, "each message is sent separately"


def test_a_timer_pays_for_one_scheduler_invocation() -> None:
    assert dollars(row("expiration.expire", events=1))["Scheduler"] == 1


def test_the_most_expensive_line_comes_first() -> None:
    lines = bill([row("orders.api", reads=2.0, table_writes=9)], PRICES, MEMORY)

    assert [line.what for line in lines[:2]] == ["table writes", "reads"]
    assert lines[0].amount == 9_000_000


def test_each_price_has_a_source_and_each_function_a_duration() -> None:
    prices = json.loads(cost.FILE.read_text())

    assert prices["prices"].keys() == PRICES["prices"].keys()
    assert all(price["source"].startswith("https://aws.amazon.com/") for price in prices["prices"].values())
    assert {row.kind for row in counts.read().purchase} <= prices["assumptions"]["milliseconds"].keys()


def test_the_documents_are_current(template: dict[str, Any]) -> None:
    """docs/operations.md has the bill, docs/performance.md its total."""
    text = cost.DOCUMENT.read_text()
    run = "run `python -m benchmarks.cost --docs`"

    assert cost.document(text, template) == text, run
    assert cost.total(cost.purchase(template)).as_json() in report.read(), run


def test_the_webhook_is_a_route_of_the_purchase() -> None:
    assert cost.DIRECT in {row.trigger for row in counts.read().purchase}
