"""Calls and request units of the user-facing operations, against their targets.

`python -m benchmarks.calls` measures every operation and a whole purchase, and writes `counts.json`.
"""

import sys
from collections.abc import Mapping

from benchmarks.quiet import quiet
from benchmarks.result import Result
from benchmarks.zips import template
from metering import counts
from metering.counts import Counts, Row

GETS = ("get a ticket", "get an order", "get a payment")
LISTS = ("list tickets on sale", "list own tickets", "list orders")
READS = frozenset({"GetItem", "Query"})


def measure() -> list[Result]:
    """Measure the operations that have a target."""
    return results(measured().operations)


def results(operations: Mapping[str, Row]) -> list[Result]:
    """The figures with their targets."""
    place, loser, pay = (operations[name] for name in ("place an order", "order a held ticket", "start a payment"))
    return [
        Result(what="place an order: write units", figure=place.writes, unit="units", target=7),
        Result(what="place an order: reads", figure=_calls(place, READS), unit="calls", target=2),
        Result(what="order a held ticket: read units", figure=loser.reads, unit="units", target=0.5),
        Result(what="order a held ticket: write units", figure=loser.writes, unit="units", target=0),
        *(
            Result(what=f"{name}: calls", figure=_calls(operations[name]), unit="calls", target=1)
            for name in (*GETS, *LISTS)
        ),
        Result(what="start a payment: DynamoDB", figure=_calls(pay), unit="calls", target=3),
        Result(what="start a payment: Stripe", figure=sum(pay.stripe_calls.values()), unit="calls", target=1),
    ]


def measured() -> Counts:
    """Run every operation and a purchase, each on a stage with empty tables."""
    from tests.support import metered_operations, metered_stack  # sets the environment variables

    with metered_stack.alone(template()) as make, quiet():
        operations = {name: counts.of_run(run(make())) for name, run in metered_operations.OPERATIONS.items()}
        return Counts(counts.of_runs(metered_operations.purchase(make())), operations)


def _calls(row: Row, names: frozenset[str] | None = None) -> int:
    return sum(number for name, number in row.calls.items() if names is None or name in names)


def main() -> None:
    """Measure, store and print."""
    found = measured()
    counts.write(found)
    for result in results(found.operations):
        verdict = "" if result.holds else f"   MISSED: the target is {result.target:g}"
        sys.stdout.write(f"{result.what:36}{result.figure:6g} {result.unit}{verdict}\n")


if __name__ == "__main__":
    main()
