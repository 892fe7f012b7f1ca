"""The calculation of capacity, for a made-up order, and the document written from the real one."""

import math
from typing import Any

import pytest

from benchmarks.plan import DOCUMENT, Inputs, Limit, document, limits, read_inputs, table
from functions.orders.store import OPEN_PARTITIONS
from functions.tickets.store import ON_SALE_PARTITIONS
from metering.counts import Counts, Row

QUOTAS = (
    *("stripeEndpoint", "stripeLive", "stripeTest", "apiRequests", "edgeRequests", "concurrency", "ramp"),
    *("queueBatches", "queueRamp", "events", "invocations", "timersSet", "timersDeleted"),
    *("timersFired", "timersOpen"),
    *("freshWrites", "freshReads", "tableWrites", "tableReads", "partitionWrites", "partitionReads"),
)


def row(function: str, trigger: str = "", **more: Any) -> Row:
    nothing: dict[str, Any] = {
        "runs": 1,
        "calls": {},
        "reads": 0.5,
        "table_writes": 0,
        "index_writes": {},
        "events": 0,
        "stripe_calls": {},
        "log_bytes": 0,
    }
    return Row(function=function, trigger=trigger, **(nothing | more))


def made_up() -> Inputs:
    """Return a plan of an order that uses a little of everything; each quota is 1,000."""
    purchase = (
        row("tickets.api", "POST /api/tickets", table_writes=100),
        row("orders.api", "POST /api/orders", table_writes=4, index_writes={"open": 2}),
        row(
            "payments.api", "POST /api/payments", index_writes={"unsettled": 4}, stripe_calls={"post a": 1, "get b": 2}
        ),
        row("payments.webhook", "POST /api/payments/webhook", stripe_calls={"get b": 1}),
        row("orders.relay", "order:created", events=2),
        row("tickets.listener", "order:created", index_writes={"on-sale": 2, "by-seller": 2}),
        row("expiration.listener", "order:created", calls={"CreateSchedule": 1}),
    )
    return Inputs(
        counts=Counts(purchase, {"list tickets on sale": row("tickets.api"), "order a held ticket": row("orders.api")}),
        quotas={name: {"limit": 1000, "unit": name} for name in QUOTAS},
        assumed={
            "milliseconds": {"api": 100, "webhook": 100, "relay": 100, "listener": 200},
            "millisecondsForEachStripeCall": 500,
        },
        throttles={"POST /api/orders": 50, "POST /api/users/signin": 5, "POST /api/payments/webhook": 40},
        listener_concurrency=10,
        window_seconds=10,
    )


def by_unit() -> dict[str, list[float]]:
    """Return the rates at which the made-up order's limits bind, by the quota's name."""
    rates: dict[str, list[float]] = {}
    for limit in limits(made_up()):
        rates.setdefault(limit.unit, []).append(limit.binds_at)
    return rates


def test_a_limit_binds_at_capacity_divided_by_use() -> None:
    limit = Limit(what="a table", capacity=4000, unit="units", each=16, remedy="pre-warm")

    assert limit.binds_at == 250
    assert limit.needed(1000) == 16_000


def test_the_lowest_limit_comes_first() -> None:
    rates = [limit.binds_at for limit in limits(made_up())]

    assert rates == sorted(rates)


def test_stripe_limits_each_endpoint_and_all_calls() -> None:
    assert by_unit()["stripeEndpoint"] == [pytest.approx(1000 / 3)], "get b"
    assert by_unit()["stripeLive"] == [250]


def test_api_and_edge_limits_count_requests_without_webhooks() -> None:
    assert by_unit()["apiRequests"] == [pytest.approx(1000 / 3)]
    assert by_unit()["edgeRequests"] == [500]
    assert by_unit()["requests a second"] == [5, 40, 50], "our own throttles"


def test_concurrency_is_the_busy_time_of_an_order() -> None:
    taken = 0.1 + (0.1 + 1.5) + (0.1 + 0.5) + 0.1 + 0.2 + 0.2

    assert by_unit()["concurrency"] == [pytest.approx(1000 / taken)]
    assert by_unit()["ramp"] == [pytest.approx(1000 / 1.6)], "payments.api"
    assert by_unit()["queueBatches"] == [pytest.approx(1000 / 0.2)]
    assert by_unit()["batches of a queue at once"] == [pytest.approx(10 / 0.2)], "our own setting"


def test_timers_are_open_for_the_whole_window() -> None:
    assert by_unit()["timersSet"] == [1000]
    assert by_unit()["timersOpen"] == [100]


def test_the_busiest_table_counts_without_earlier_writes() -> None:
    """Writes before the rush, such as putting tickets on sale, do not count."""
    assert by_unit()["freshWrites"] == [250], "the 4 units of placing an order, not the 100 of putting a ticket on sale"


def test_orders_spread_over_index_partitions_except_a_sellers() -> None:
    found = {limit.what: limit.binds_at for limit in limits(made_up())}

    assert found["index `on-sale`"] == 500 * ON_SALE_PARTITIONS
    assert found["index `open`"] == 500 * OPEN_PARTITIONS
    assert found["index `by-seller`, if one seller has all tickets"] == 500


def test_what_an_order_does_not_use_limits_nothing() -> None:
    assert Limit(what="an index", capacity=1000, unit="units", each=0, remedy="").binds_at == math.inf


def test_a_table_has_only_the_limits_below_its_rate() -> None:
    low, high = (
        Limit(what=name, capacity=each, unit="units", each=1, remedy=f"more {name}")
        for name, each in (("a", 10), ("b", 99))
    )

    assert table([low, high], 10).count("\n") == 1, "only the header: ten of ten is enough"
    assert table([low, high], 11).endswith("| a | 10 | 11 of 10 units | more a |")


def test_a_document_without_a_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- plan 10 -->"):
        document("# Nothing here", [])


def test_the_document_is_current(template: dict[str, Any]) -> None:
    text = DOCUMENT.read_text()

    assert document(text, limits(read_inputs(template))) == text, (
        "run `python -m benchmarks.plan --docs` to update its tables"
    )
