"""The AWS cost of a million paid orders, end to end: `counts.json` times `prices.json`.

`python -m benchmarks.cost` prints each line of the bill; `--docs` writes them into docs/operations.md, and the totals
into docs/performance.md. The counts are measured and the prices are AWS's; the functions' durations, and what depends
on the rate of orders, are assumed, and marked so in `prices.json`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.result import Result
from benchmarks.zips import functions, template
from metering import counts
from metering.counts import Row

FILE = Path(__file__).with_name("prices.json")
DOCUMENT = Path(__file__).parent.parent / "docs" / "operations.md"
MARKERS = ("<!-- cost: begin -->", "<!-- cost: end -->")
ORDERS = 1_000_000
LOW, STEADY = "a low rate", "20 orders a second"
TARGETS = {LOW: 90, STEADY: 75}  # dollars
LOGS, LOGS_TARGET = "logs", 8  # dollars, at a low rate
REQUESTS_OF_A_BATCH = 2  # receive and delete by Lambda; a rule sends each message separately
DIRECT = "POST /api/payments/webhook"  # Stripe calls the API's own address, not the edge
LATE_ORDER = "order a held ticket"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill for a million paid orders: the amount of one resource, and its cost in dollars."""

    what: str
    amount: float
    unit: str
    dollars: float


def bill(rows: Sequence[Row], prices: Mapping[str, Any], memory_mb: Mapping[str, int], rate: str = LOW) -> list[Line]:
    """Each line at one of the assumed rates, the most expensive first.

    `memory_mb` is the memory of each function that waits (`payments.api`).
    """
    assumed = prices["assumptions"] | prices["assumptions"]["rates"][rate]
    batches = {"relay": assumed["recordsInABatch"], "listener": assumed["messagesInABatch"]}

    def runs_of(row: Row) -> float:
        return row.runs / float(batches.get(row.kind, 1))

    runs = _total(rows, runs_of)
    requests = _total(rows, lambda row: row.runs if row.is_http else 0)
    at_edge = _total(rows, lambda row: row.runs if row.is_http and row.trigger != DIRECT else 0)
    records = _total(rows, lambda row: row.runs if row.kind == "relay" else 0)
    messages = _total(rows, lambda row: row.runs if row.kind == "listener" else 0)

    def waiting(row: Row) -> float:
        """GB-seconds during which a function only waits for Stripe."""
        seconds = sum(row.stripe_calls.values()) * assumed["millisecondsForEachStripeCall"] / 1000
        return float(seconds * memory_mb[row.function] / 1024) if seconds else 0.0

    def working(row: Row) -> float:
        """GB-seconds of work, at any memory size: half the memory is half the processor, twice the time."""
        return float(runs_of(row) * assumed["milliseconds"][row.kind] / 1000)

    starting = runs * assumed["coldStarts"] * assumed["millisecondsOfAColdStart"] / 1000
    log_bytes = _total(rows, lambda row: row.log_bytes) + requests * assumed["bytesOfAnAccessLogLine"]

    amounts = [
        ("table writes", "tableWrite", _total(rows, lambda row: row.table_writes)),
        ("index writes", "indexWrite", _total(rows, lambda row: sum(row.index_writes.values()))),
        ("reads", "read", _total(rows, lambda row: row.reads)),
        ("streams", "streamRead", records / assumed["recordsInABatch"]),
        ("SQS", "queueRequest", messages + messages * REQUESTS_OF_A_BATCH / assumed["messagesInABatch"]),
        ("EventBridge", "event", _total(rows, lambda row: row.events)),
        ("Scheduler", "timer", _total(rows, lambda row: row.runs if row.kind == "expire" else 0)),
        ("API Gateway", "request", requests),
        ("Lambda: runs", "run", runs),
        ("Lambda: waiting for Stripe", "gigabyteSecond", _total(rows, waiting)),
        ("Lambda: the rest", "gigabyteSecond", _total(rows, working)),
        ("Lambda: cold starts", "gigabyteSecond", starting),
        (LOGS, "logGigabyte", log_bytes / 1e9),
        ("CloudFront: requests", "edgeRequest", at_edge),
        ("CloudFront: functions", "edgeFunction", at_edge),
        ("CloudFront: answers", "edgeGigabyte", at_edge * assumed["bytesOfAnAnswer"] / 1e9),
    ]
    lines = [_line(what, prices["prices"][name], amount) for what, name, amount in amounts]
    return sorted(lines, key=lambda line: -line.dollars)


def measure() -> list[Result]:
    """The bill's totals."""
    return totals(template())


def totals(synthesized: dict[str, Any]) -> list[Result]:
    """The bill's total at each rate and its logs, with their targets."""
    found = []
    for rate, target in TARGETS.items():
        dollars = sum(line.dollars for line in purchase(synthesized, rate))
        what = f"a million paid orders, at {rate}"
        found.append(Result(what=what, figure=round(dollars, 2), unit="dollars", target=target))
    (logs,) = (line.dollars for line in purchase(synthesized) if line.what == LOGS)
    what = "logs of a million paid orders"
    return [*found, Result(what=what, figure=round(logs, 2), unit="dollars", target=LOGS_TARGET)]


def purchase(synthesized: dict[str, Any], rate: str = LOW) -> list[Line]:
    """The bill of a purchase, with the memory of the functions in a template."""
    return _bill(counts.read().purchase, synthesized, rate)


def document(text: str, synthesized: dict[str, Any]) -> str:
    """The document with its tables regenerated. Raises ValueError if a marker is missing."""
    late = _bill([counts.read().operations[LATE_ORDER]], synthesized)
    lines = [line for line in purchase(synthesized) if line.dollars]
    steady = {line.what: line.dollars for line in purchase(synthesized, STEADY)}
    rows = [
        *((line.what, f"{line.amount / ORDERS:.4g} {line.unit}", line.dollars, steady[line.what]) for line in lines),
        ("**all of it**", "", sum(line.dollars for line in lines), sum(steady.values())),
    ]
    head = f"| what | of one paid order, at {LOW} | a million, in dollars | at {STEADY} |\n|---|---|--:|--:|\n"
    table = "".join(f"| {what} | {amount} | {low:,.2f} | {fast:,.2f} |\n" for what, amount, low, fast in rows)
    too_late = f"| an order that is too late for its ticket | | {sum(line.dollars for line in late):,.2f} | |\n"
    return report.between(text, *MARKERS, head + table + too_late)


def _bill(rows: Sequence[Row], synthesized: dict[str, Any], rate: str = LOW) -> list[Line]:
    memory = {_name(function.module): function.memory for function in functions(synthesized)}
    return bill(rows, json.loads(FILE.read_text()), memory, rate)


def _name(module: str) -> str:
    """The name of a function in the rows, from `functions.orders.api`; the relay is one for all services."""
    return module.removeprefix("functions.").removeprefix("relay.")


def _total(rows: Sequence[Row], amount: Callable[[Row], float]) -> float:
    """The sum over one paid order."""
    return sum(map(amount, rows))


def _line(what: str, price: Mapping[str, Any], amount: float) -> Line:
    used = amount * ORDERS
    return Line(what, used, price["unit"], used / price["per"] * price["dollars"])


def main() -> None:
    """Print the bill, or write it into the documents."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost")
    parser.add_argument("--docs", action="store_true", help="write docs/operations.md and docs/performance.md")
    arguments = parser.parse_args()
    synthesized = template()
    if arguments.docs:
        DOCUMENT.write_text(document(DOCUMENT.read_text(), synthesized))
        report.update(totals(synthesized))
        return
    for line in purchase(synthesized):
        sys.stdout.write(f"{line.what:28}{line.dollars:8.2f}   {line.amount:14,.0f} {line.unit}\n")
    for result in totals(synthesized):
        verdict = "the target holds" if result.holds else "MISSED"
        sys.stdout.write(f"{result.what}: {result.figure:.2f} dollars; the target is {result.target}: {verdict}\n")
    sys.stdout.write(f"Left out: {json.loads(FILE.read_text())['leftOut']}.\n")


if __name__ == "__main__":
    main()
