"""The number of orders per second that each limit allows, and the remedy for each limit that is too low.

`python -m benchmarks.plan 1000` prints the limits at that rate; `--docs` writes the tables of `docs/scaling.md`.

A rate counts orders that are placed and paid, for tickets put on sale before, by buyers who have signed in. The
resources of one order are in `counts.json`, the limits in `quotas.json`, our own throttles in the template, and the
assumed durations of functions in `prices.json`.
"""

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cost, report
from benchmarks.zips import template
from cdk.stages import read_stage
from functions.orders.store import OPEN_PARTITIONS
from functions.payments.store import UNSETTLED_PARTITIONS
from functions.tickets.store import ON_SALE_PARTITIONS
from metering import counts
from metering.counts import Counts, Row

FILE = Path(__file__).with_name("quotas.json")
DOCUMENT = Path(__file__).parent.parent / "docs" / "scaling.md"
RATES = (10, 1_000, 100_000)
MARKERS = ("<!-- plan {rate} -->", "<!-- end -->")
BEFORE_THE_RUSH = frozenset({"POST /api/tickets", "ticket:created"})
PLACE = "POST /api/orders"
SIGN_IN = "POST /api/users/signin"
CACHED = frozenset({"GET /api/tickets", "GET /api/tickets/{id}"})
"""Routes that the edge answers from its cache for a second. The limits count their requests as if it answered none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`capacity` in `unit`, of which each order uses `each`; `remedy` is the action if that is too little."""

    what: str
    capacity: float
    unit: str
    each: float
    remedy: str

    @property
    def binds_at(self) -> float:
        """The highest rate that it allows, in orders per second; infinite if an order uses nothing of it."""
        return self.capacity / self.each if self.each else math.inf

    def needed(self, rate: float) -> float:
        """The need of that many orders per second, in `unit`."""
        return rate * self.each


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of the calculation: see the module."""

    counts: Counts
    quotas: Mapping[str, Any]
    assumed: Mapping[str, Any]
    throttles: Mapping[str, float]
    listener_concurrency: int
    window_seconds: int


def limits(inputs: Inputs) -> list[Limit]:
    """Every limit, the lowest first."""
    rush = [row for row in inputs.counts.purchase if row.trigger not in BEFORE_THE_RUSH]
    found = [*_stripe(inputs, rush), *_http(inputs, rush), *_functions(inputs, rush), *_events(inputs, rush)]
    found += [*_tables(inputs, rush), *_keys(inputs, rush)]
    return sorted(found, key=lambda limit: limit.binds_at)


def _stripe(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    calls = _added_up(call for row in rush for call in row.stripe_calls.items())
    endpoint, most = _largest(calls)
    yield _limit(
        inputs,
        "stripeEndpoint",
        f"Stripe, `{endpoint}`",
        most,
        "ask Stripe, six weeks ahead for much; read the PaymentIntent less often",
    )
    yield _limit(inputs, "stripeLive", "Stripe, all calls", sum(calls.values()), "ask Stripe, six weeks ahead for much")
    yield _limit(inputs, "stripeTest", "Stripe's sandbox", sum(calls.values()), "load tests pay at the local Stripe")


def _http(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    requests = sum(row.runs for row in rush if row.is_http)
    at_edge = sum(row.runs for row in rush if row.is_http and row.trigger != cost.DIRECT)
    yield Limit(
        what=f"our throttle of `{PLACE}`",
        capacity=inputs.throttles[PLACE],
        unit="requests a second",
        each=1,
        remedy="raise it in `cdk/orders.py` together with the rest; above that a waiting room",
    )
    yield Limit(
        what=f"our throttle of `{SIGN_IN}`, if all sign in as they buy",
        capacity=inputs.throttles[SIGN_IN],
        unit="requests a second",
        each=1,
        remedy="have buyers sign in before the sale; raise it in `cdk/auth.py`",
    )
    for row in rush:
        if row.trigger in inputs.throttles and row.trigger != PLACE:
            is_cached = row.trigger in CACHED
            yield Limit(
                what=f"our throttle of `{row.trigger}`" + (", if none is cached" if is_cached else ""),
                capacity=inputs.throttles[row.trigger],
                unit="requests a second",
                each=row.runs,
                remedy="raise it in `cdk/tickets.py`; one ticket, or one page of the list, needs a few a second"
                if is_cached
                else "raise it in `cdk/payments.py` together with Stripe's limits",
            )
    yield _limit(inputs, "apiRequests", "API Gateway", requests, "raise the quota")
    yield _limit(inputs, "edgeRequests", "CloudFront", at_edge, "raise the quota")


def _functions(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    # The seconds for which an order occupies each function equal the environments needed for one order per second.
    busy = _added_up((row.function, _seconds(row, inputs.assumed)) for row in rush)
    function, most = _largest(busy)
    queue, longest = _largest({name: seconds for name, seconds in busy.items() if name.endswith(".listener")})
    yield _limit(inputs, "concurrency", "Lambda, the account's concurrency", sum(busy.values()), "raise the quota")
    yield _limit(
        inputs,
        "ramp",
        f"Lambda, the first 10 seconds of `{function}`",
        most,
        "admit buyers gradually, or provision environments before the sale",
    )
    yield Limit(
        what=f"our `listener_concurrency` of `prod`, the queue of `{queue}`",
        capacity=inputs.listener_concurrency,
        unit="batches of a queue at once",
        each=longest,
        remedy="late, not lost; raise it in `stages/prod.toml`, below the account's concurrency",
    )
    yield _limit(
        inputs,
        "queueBatches",
        f"Lambda, the queue of `{queue}`",
        longest,
        "late, not lost; provisioned pollers, or a second queue",
    )
    yield _limit(
        inputs,
        "queueRamp",
        f"Lambda, the first minute of the queue of `{queue}`",
        longest,
        "late, not lost; provisioned pollers for the sale",
    )


def _events(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    messages = sum(row.runs for row in rush if row.kind == "listener")
    timers = sum(row.calls.get("CreateSchedule", 0) for row in rush)
    late = "late, not lost; raise the quota"
    yield _limit(inputs, "events", "EventBridge, events", sum(row.events for row in rush), "raise the quota")
    yield _limit(inputs, "invocations", "EventBridge, to queues", messages, late)
    yield _limit(inputs, "timersSet", "Scheduler, new timers", timers, "waits in its queue; raise the quota")
    yield _limit(inputs, "timersDeleted", "Scheduler, deleted timers", timers, "waits in its queue; raise the quota")
    yield _limit(inputs, "timersFired", "Scheduler, timers going off, if nobody pays", timers, late)
    yield _limit(
        inputs, "timersOpen", "Scheduler, open timers", timers * inputs.window_seconds, "raise the quota, to billions"
    )


def _tables(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    written, units = _largest(_added_up((row.service, row.table_writes) for row in rush))
    read, read_units = _largest(_added_up((row.service, row.reads) for row in rush))
    warm = "pre-warm table and indexes: `update-table --warm-throughput`"
    yield _limit(inputs, "freshWrites", f"DynamoDB, `{written}` as new", units, warm)
    yield _limit(inputs, "tableWrites", f"DynamoDB, writes to `{written}`", units, "raise the quota, and pre-warm")
    yield _limit(inputs, "freshReads", f"DynamoDB, `{read}` as new, reads", read_units, warm)
    yield _limit(inputs, "tableReads", f"DynamoDB, reads of `{read}`", read_units, "raise the quota, and pre-warm")


def _keys(inputs: Inputs, rush: Sequence[Row]) -> Iterable[Limit]:
    writes = _added_up(written for row in rush for written in row.index_writes.items())
    for index, partitions, constant in (
        ("on-sale", ON_SALE_PARTITIONS, "`ON_SALE_PARTITIONS`: each more is a query more for every listing"),
        ("open", OPEN_PARTITIONS, "`OPEN_PARTITIONS`: only the sweep pays for more"),
        ("unsettled", UNSETTLED_PARTITIONS, "`UNSETTLED_PARTITIONS`: only the reconciler pays for more"),
    ):
        # An order writes to one partition of the index, so the partitions share the orders.
        yield _limit(
            inputs, "partitionWrites", f"index `{index}`", writes[index] / partitions, f"shard: raise {constant}"
        )
    yield _limit(
        inputs,
        "partitionWrites",
        "index `by-seller`, if one seller has all tickets",
        writes["by-seller"],
        "shard: spread the key over partitions, as `on-sale` is",
    )
    listing, losing = (
        inputs.counts.operations["list tickets on sale"],
        inputs.counts.operations["order a held ticket"],
    )
    yield _limit(
        inputs,
        "partitionReads",
        "index `on-sale`, a listing for each order, if none is cached",
        listing.reads / ON_SALE_PARTITIONS,
        "nothing: CloudFront keeps each page of the list for a second",
    )
    yield _limit(
        inputs,
        "partitionReads",
        "buyers of one ticket a second",
        losing.reads,
        "a waiting room: only one of them gets it",
    )


def _limit(inputs: Inputs, quota: str, what: str, each: float, remedy: str) -> Limit:
    found = inputs.quotas[quota]
    return Limit(what=what, capacity=found["limit"], unit=found["unit"], each=each, remedy=remedy)


def _added_up(amounts: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for name, amount in amounts:
        total[name] += amount
    return total


def _largest(amounts: Mapping[str, float]) -> tuple[str, float]:
    return max(amounts.items(), key=lambda each: each[1])


def _seconds(row: Row, assumed: Mapping[str, Any]) -> float:
    waiting = sum(row.stripe_calls.values()) * assumed["millisecondsForEachStripeCall"]
    working = row.runs * assumed["milliseconds"][row.kind]
    return float(waiting + working) / 1000


def table(all_limits: Iterable[Limit], rate: float) -> str:
    """The limits that are too low for this rate, as a table in Markdown."""
    rows = [
        f"| {limit.what} | {_figure(limit.binds_at)} | {_figure(limit.needed(rate))} of {_figure(limit.capacity)}"
        f" {limit.unit} | {limit.remedy} |"
        for limit in all_limits
        if limit.binds_at < rate
    ]
    return "\n".join(["| what limits | holds to, orders a second | needed | what to do |", "|---|---:|---|---|", *rows])


def document(text: str, all_limits: Sequence[Limit]) -> str:
    """The document with its tables regenerated. Raises ValueError if a marker is missing."""
    for rate in RATES:
        begin, end = (marker.format(rate=rate) for marker in MARKERS)
        text = report.between(text, begin, end, f"{table(all_limits, rate)}\n")
    return text


def read_inputs(synthesized: Mapping[str, Any]) -> Inputs:
    """The current inputs, with the throttles and the order window of a stage's template."""
    resources = [resource["Properties"] for resource in synthesized["Resources"].values() if "Properties" in resource]
    settings = next(each["RouteSettings"] for each in resources if "RouteSettings" in each)
    window = next(
        variables["ORDER_WINDOW_SECONDS"]
        for each in resources
        if "ORDER_WINDOW_SECONDS" in (variables := each.get("Environment", {}).get("Variables", {}))
    )
    return Inputs(
        counts=counts.read(),
        quotas=json.loads(FILE.read_text())["quotas"],
        assumed=json.loads(cost.FILE.read_text())["assumptions"],
        throttles={route: setting["ThrottlingRateLimit"] for route, setting in settings.items()},
        listener_concurrency=read_stage("prod").listener_concurrency,
        window_seconds=int(window),
    )


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.1f}"


def main() -> None:
    """Print the limits at a rate, or write the document's tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan")
    parser.add_argument("rate", type=float, nargs="?", help="orders per second")
    parser.add_argument("--docs", action="store_true", help="write the tables of docs/scaling.md")
    arguments = parser.parse_args()
    all_limits = limits(read_inputs(template()))
    if arguments.docs:
        DOCUMENT.write_text(document(DOCUMENT.read_text(), all_limits))
    elif arguments.rate is None or arguments.rate <= 0:
        parser.error("which rate?")
    else:
        for limit in all_limits:
            mark = "BINDS" if limit.binds_at < arguments.rate else "     "
            sys.stdout.write(f"{mark} {_figure(limit.binds_at):>8} orders/s  {limit.what}\n")
            if limit.binds_at < arguments.rate:
                need = f"{_figure(limit.needed(arguments.rate))} of {_figure(limit.capacity)} {limit.unit}"
                sys.stdout.write(f"{'':25}{need}: {limit.remedy}\n")


if __name__ == "__main__":
    main()
