"""The calculation of the bill, with counts and prices that are easy to check by hand."""

import json
from dataclasses import replace
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
            *("gigabyteSecond", "logGigabyte", "edgeRequest", "edgeFunction", "edgeGigabyte"),
        )
    },
    "assumptions": {
        "milliseconds": {"api": 100, "webhook": 100, "relay": 100, "listener": 100, "expire": 100},
        "millisecondsForEachStripeCall": 500,
        "millisecondsOfAColdStart": 100,
        "bytesOfAnAnswer": 1000,
        "bytesOfAnAccessLogLine": 200_000,
        "rates": {
            cost.LOW: {"messagesInABatch": {}, "recordsInABatch": 1, "listsThatPassTheCache": 1, "coldStarts": 0.01},
            cost.STEADY: {
                "messagesInABatch": {"expiration.listener": 10},
                "recordsInABatch": 4,
                "listsThatPassTheCache": 0.25,
                "coldStarts": 0,
            },
        },
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
        "log_bytes": 0,
    }
    return Row(function=function, trigger=trigger, **(nothing | more))


def dollars(*rows: Row, rate: str = cost.LOW) -> dict[str, Any]:
    """Return the lines with a cost above zero. At a dollar a million, each equals the units that one order uses."""
    return {line.what: pytest.approx(line.dollars) for line in bill(rows, PRICES, MEMORY, rate) if line.dollars}


def test_a_request_pays_for_edge_api_and_function() -> None:
    assert dollars(row("orders.api", "POST /api/orders", table_writes=4, index_writes={"open": 1}, reads=0.5)) == {
        "table writes": 4,
        "index writes": 1,
        "reads": 0.5,
        "API Gateway": 1,
        "Lambda: runs": 1,
        "Lambda: the rest": 0.1,
        "Lambda: cold starts": 0.01 * 0.1,
        "logs": 200_000 / 1e9,
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


def test_batches_share_the_cost_of_a_run() -> None:
    messages = dollars(row("expiration.listener", "order:created", runs=2), rate=cost.STEADY)
    records = dollars(row("orders.relay", "order:created", runs=2), rate=cost.STEADY)

    assert messages["SQS"] == 4.2, "each message is sent and received separately"
    assert messages["Lambda: runs"] == 0.2
    assert messages["Lambda: the rest"] == 0.2, "the work on each message remains"
    assert records["Lambda: runs"] == 0.5
    assert "Lambda: cold starts" not in messages


def test_a_list_from_the_cache_pays_for_the_edge_only() -> None:
    cached = dollars(row("tickets.api", "GET /api/tickets", reads=2.0), rate=cost.STEADY)

    assert (cached["CloudFront: requests"], cached["CloudFront: functions"]) == (1, 1)
    assert (cached["API Gateway"], cached["Lambda: runs"], cached["reads"]) == (0.25, 0.25, 0.5)


def test_no_line_is_below_its_floor(template: dict[str, Any]) -> None:
    for rate in cost.TARGETS:
        least = {line.what: line.dollars for line in cost.floor(rate)}
        assert all(line.dollars >= least[line.what] - 1e-9 for line in cost.purchase(template, rate)), rate


def test_the_floor_has_every_event_and_message_of_a_purchase() -> None:
    """So it leaves out no published state and no consumer."""
    steps = [step["row"] for step in json.loads(cost.FLOOR_FILE.read_text())["purchase"]]
    found = {(step["function"], step["trigger"]): step["runs"] for step in steps}
    counted = {(row.function, row.trigger): row.runs for row in counts.read().purchase}

    events = {key: runs for key, runs in counted.items() if key[0].endswith((".relay", ".listener"))}
    assert found.items() >= events.items()


def test_log_lines_of_functions_and_of_the_api_are_charged() -> None:
    listener, api = row("orders.listener", "ticket:created"), row("orders.api", "POST /api/orders")

    assert dollars(replace(listener, log_bytes=300_000))["logs"] == 300_000 / 1e9
    assert dollars(replace(api, log_bytes=300_000))["logs"] == 500_000 / 1e9


def test_a_timer_pays_for_one_scheduler_invocation() -> None:
    assert dollars(row("expiration.expire", events=1))["Scheduler"] == 1


def test_the_most_expensive_line_comes_first() -> None:
    lines = bill([row("orders.api", reads=2.0, table_writes=9)], PRICES, MEMORY)

    assert [line.what for line in lines[:2]] == ["table writes", "reads"]
    assert lines[0].amount == 9_000_000


def test_each_price_has_a_source_and_each_function_a_duration() -> None:
    prices = json.loads(cost.FILE.read_text())

    assert prices["prices"].keys() == {*PRICES["prices"], "mail"}
    assert all(price["source"].startswith("https://aws.amazon.com/") for price in prices["prices"].values())
    assert {row.kind for row in counts.read().purchase} <= prices["assumptions"]["milliseconds"].keys()


def test_the_documents_are_current(template: dict[str, Any]) -> None:
    """docs/operations.md has the bill, docs/performance.md its totals."""
    text = cost.DOCUMENT.read_text()
    run = "run `python -m benchmarks.cost --docs`"

    assert cost.document(text, template) == text, run
    written = report.read()
    assert all(total.as_json() in written for total in cost.totals(template)), run


def test_the_webhook_is_a_route_of_the_purchase() -> None:
    assert cost.DIRECT in {row.trigger for row in counts.read().purchase}


def test_payouts_are_a_bill_of_their_own(template: dict[str, Any]) -> None:
    """Each is one run of the worker, which waits for four calls to Stripe."""
    lines = {line.what: line for line in cost.payout(template)}

    assert lines["table writes"].amount == 8_000_000
    assert 10 < sum(line.dollars for line in lines.values()) < 30


def test_mails_are_a_bill_of_their_own() -> None:
    """SES asks more for the two mails of an order than everything else costs."""
    ses, *sending = cost.mails()
    assert (ses.what, ses.amount, ses.dollars) == ("SES", 2_000_000, 200)
    assert 5 < sum(line.dollars for line in sending) < 15
