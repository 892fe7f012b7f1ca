"""The AWS cost of a million paid orders, end to end: `counts.json` times `prices.json`.

`python -m benchmarks.cost` prints each line of the bill; `--docs` writes them into docs/operations.md, and the total
into docs/performance.md. The counts are measured and the prices are AWS's; the functions' durations are assumed, and
marked so in `prices.json`. Batches would make relays and listeners cheaper; at a low rate there are none, and this is
the bill without them.
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
TARGET = 16  # dollars
REQUESTS_OF_A_BATCH = 2  # receive and delete by Lambda; a rule sends each message separately
DIRECT = "POST /api/payments/webhook"  # Stripe calls the API's own address, not the edge
LATE_ORDER = "lose an order on the read"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill for a million paid orders: the amount of one resource, and its cost in dollars."""

    what: str
    amount: float
    unit: str
    dollars: float


def bill(rows: Sequence[Row], prices: Mapping[str, Any], memory_mb: Mapping[str, int]) -> list[Line]:
    """Each line, the most expensive first. `memory_mb` is the memory of each function that waits (`payments.api`)."""
    assumed = prices["assumptions"]
    runs = _total(rows, lambda row: row.runs)
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
        return float(row.runs * assumed["milliseconds"][row.kind] / 1000)

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
        ("X-Ray", "trace", runs * assumed["sampledByXRay"]),
        ("CloudFront: requests", "edgeRequest", at_edge),
        ("CloudFront: functions", "edgeFunction", at_edge),
        ("CloudFront: answers", "edgeGigabyte", at_edge * assumed["bytesOfAnAnswer"] / 1e9),
    ]
    lines = [_line(what, prices["prices"][name], amount) for what, name, amount in amounts]
    return sorted(lines, key=lambda line: -line.dollars)


def measure() -> list[Result]:
    """The bill's total."""
    return [total(purchase(template()))]


def total(lines: Sequence[Line]) -> Result:
    """The bill's total with its target."""
    dollars = sum(line.dollars for line in lines)
    whole = "a million paid orders, without Stripe and logs"
    return Result(what=whole, figure=round(dollars, 2), unit="dollars", target=TARGET)


def purchase(synthesized: dict[str, Any]) -> list[Line]:
    """The bill of a purchase, with the memory of the functions in a template."""
    return _bill(counts.read().purchase, synthesized)


def document(text: str, synthesized: dict[str, Any]) -> str:
    """The document with its tables regenerated. Raises ValueError if a marker is missing."""
    late = _bill([counts.read().operations[LATE_ORDER]], synthesized)
    lines = purchase(synthesized)
    rows = [
        *((line.what, f"{line.amount / ORDERS:.4g} {line.unit}", line.dollars) for line in lines if line.dollars),
        ("**all of it**", "", sum(line.dollars for line in lines)),
        ("an order that is too late for its ticket", "", sum(line.dollars for line in late)),
    ]
    head = "| what | of one paid order | a million, in dollars |\n|---|---|--:|\n"
    table = "".join(f"| {what} | {amount} | {dollars:,.2f} |\n" for what, amount, dollars in rows)
    return report.between(text, *MARKERS, head + table)


def _bill(rows: Sequence[Row], synthesized: dict[str, Any]) -> list[Line]:
    memory = {_name(function.module): function.memory for function in functions(synthesized)}
    return bill(rows, json.loads(FILE.read_text()), memory)


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
    asked = parser.parse_args()
    synthesized = template()
    lines = purchase(synthesized)
    if asked.docs:
        DOCUMENT.write_text(document(DOCUMENT.read_text(), synthesized))
        report.update([total(lines)])
        return
    for line in lines:
        sys.stdout.write(f"{line.what:28}{line.dollars:8.2f}   {line.amount:14,.0f} {line.unit}\n")
    dollars = total(lines).figure
    verdict = "the target holds" if dollars <= TARGET else f"MISSED by a factor of {dollars / TARGET:.1f}"
    sys.stdout.write(f"{'a million paid orders':28}{dollars:8.2f}   dollars; the target is {TARGET}: {verdict}\n")
    sys.stdout.write(f"Left out: {json.loads(FILE.read_text())['leftOut']}.\n")


if __name__ == "__main__":
    main()
