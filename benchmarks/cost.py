"""The AWS cost of a million paid orders, end to end: `counts.json` times `prices.json`.

`python -m benchmarks.cost` prints each line of the bill; `--docs` writes them into docs/operations.md, and the totals
into docs/performance.md. The counts are measured and the prices are AWS's; the functions' durations, and what depends
on the rate of orders, are assumed, and marked so in `prices.json`. The floor is the bill of `floor.json`: the least
that an order can be counted to need, with the same prices and assumptions.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.result import Result
from benchmarks.zips import functions, template
from metering import counts
from metering.counts import Row

FILE = Path(__file__).with_name("prices.json")
FLOOR_FILE = Path(__file__).with_name("floor.json")
DOCUMENT = Path(__file__).parent.parent / "docs" / "operations.md"
MARKERS = ("<!-- cost: begin -->", "<!-- cost: end -->")
FLOOR_MARKERS = ("<!-- floor: begin -->", "<!-- floor: end -->")
ORDERS = 1_000_000
LOW, STEADY = "a low rate", "20 orders a second"
TARGETS = {LOW: 90, STEADY: 75}  # dollars
LOGS, LOGS_TARGET = "logs", 8  # dollars, at a low rate
REQUESTS_OF_A_MESSAGE = 2  # a rule sends it, and Lambda receives it; Lambda deletes a batch at once
LIST = "GET /api/tickets"
DIRECT = "POST /api/payments/webhook"  # Stripe calls the API's own address, not the edge
LATE_ORDER = "order a held ticket"
PAYOUT = ("send a payout", "relay an event")
"""What follows a purchase once its seller is paid."""


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

    def runs_of(row: Row) -> float:
        if row.kind == "relay":
            return row.runs / float(assumed["recordsInABatch"])
        return row.runs / float(assumed["messagesInABatch"].get(row.function, 1))

    at_edge = _total(rows, lambda row: row.runs if row.is_http and row.trigger != DIRECT else 0)
    rows = [_times(row, assumed["listsThatPassTheCache"]) if row.trigger == LIST else row for row in rows]
    runs = _total(rows, runs_of)
    requests = _total(rows, lambda row: row.runs if row.is_http else 0)
    records = _total(rows, lambda row: row.runs if row.kind == "relay" else 0)
    messages = _total(rows, lambda row: row.runs if row.kind == "listener" else 0)
    deletions = _total(rows, lambda row: runs_of(row) if row.kind == "listener" else 0)

    def waiting(row: Row) -> float:
        """GB-seconds during which a function only waits for Stripe."""
        seconds = sum(row.stripe_calls.values()) * assumed["millisecondsForEachStripeCall"] / 1000
        return float(seconds * memory_mb[row.function] / 1024) if seconds else 0.0

    def working(row: Row) -> float:
        """GB-seconds of work, at any memory size: half the memory is half the processor, twice the time.

        A listener works on each message of its batch.
        """
        times = row.runs if row.kind == "listener" else runs_of(row)
        return float(times * assumed["milliseconds"][row.kind] / 1000)

    starting = runs * assumed["coldStarts"] * assumed["millisecondsOfAColdStart"] / 1000
    log_bytes = _total(rows, lambda row: row.log_bytes) + requests * assumed["bytesOfAnAccessLogLine"]

    amounts = [
        ("table writes", "tableWrite", _total(rows, lambda row: row.table_writes)),
        ("index writes", "indexWrite", _total(rows, lambda row: sum(row.index_writes.values()))),
        ("reads", "read", _total(rows, lambda row: row.reads)),
        ("streams", "streamRead", records / assumed["recordsInABatch"]),
        ("SQS", "queueRequest", messages * REQUESTS_OF_A_MESSAGE + deletions),
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


def payout(synthesized: dict[str, Any]) -> list[Line]:
    """The bill of paying the sellers of a million paid orders: one look each, which sends, and its event.

    What was recorded for it before is part of the purchase.
    """
    operations = counts.read().operations
    return _bill([operations[name] for name in PAYOUT], synthesized)


def mails() -> list[Line]:
    """The bill of the mails of a million paid orders, which is no part of the purchase's: a stage may send none.

    Each is claimed, recorded and logged by the mail sender, which spends a minimum of time on it to stay within SES's
    rate. Its user is read by a consistent read.
    """
    content = json.loads(FILE.read_text())
    prices, assumed = content["prices"], content["assumptions"]
    count = assumed["mailsOfAnOrder"]
    seconds = assumed["millisecondsOfAMail"] / 1000
    amounts = [
        ("SES", "mail", 1.0),
        ("table writes", "tableWrite", 2),
        ("reads", "read", 1),
        ("SQS", "queueRequest", REQUESTS_OF_A_MESSAGE + 1),
        ("Lambda: runs", "run", 1),
        ("Lambda: sending", "gigabyteSecond", seconds * assumed["memoryOfTheMailSender"] / 1024),
    ]
    return [_line(what, prices[name], count * amount) for what, name, amount in amounts]


def floor(rate: str = LOW) -> list[Line]:
    """The bill of the least that a purchase can need."""
    content = json.loads(FLOOR_FILE.read_text())
    prices = json.loads(FILE.read_text())
    assumed = content["assumptions"]
    if rate == STEADY:
        prices["assumptions"]["rates"][rate]["messagesInABatch"] = assumed["messagesInABatch"]
    rows = [Row(**step["row"]) for step in content["purchase"]]
    return bill(rows, prices, {row.function: assumed["memoryOfFunctionsThatWait"] for row in rows}, rate)


def document(text: str, synthesized: dict[str, Any]) -> str:
    """The document with its tables regenerated. Raises ValueError if a marker is missing."""
    late = sum(line.dollars for line in _bill([counts.read().operations[LATE_ORDER]], synthesized))
    low = purchase(synthesized)
    columns = [
        {line.what: line.dollars for line in lines}
        for lines in (low, floor(), purchase(synthesized, STEADY), floor(STEADY))
    ]
    assumed = _assumptions()
    head = (
        f"| what | of one paid order, at {LOW} | a million, in dollars | its floor | at {STEADY} | its floor | assumed"
        " |\n"
        "|---|---|--:|--:|--:|--:|---|\n"
    )
    table = "".join(
        f"| {line.what} | {line.amount / ORDERS:.4g} {line.unit} | {_dollars(line.what, columns)} |"
        f" {assumed.get(line.what, '')} |\n"
        for line in low
        if line.dollars
    )
    totals = " | ".join(f"{sum(column.values()):,.2f}" for column in columns)
    all_of_it = f"| **all of it** | | {totals} | |\n"
    paying = f"| paying the seller of each order, after the hold | | {_sum(payout(synthesized)):,.2f} | | | | |\n"
    too_late = f"| an order that is too late for its ticket | | {late:,.2f} | | | | |\n"
    ses, *sending = mails()
    optional = (
        f"| optional, not in the sum: {ses.amount / ORDERS:g} mails for each order, SES | {ses.amount / ORDERS:g}"
        f" {ses.unit} | {ses.dollars:,.2f} | | {ses.dollars:,.2f} | | a receipt for the buyer and a mail to the seller,"
        f" on a stage with `mail_from` |\n"
        f"| optional, not in the sum: sending these mails | | {_sum(sending):,.2f} | | {_sum(sending):,.2f} | |"
        f" {assumed['mails']} |\n"
    )
    text = report.between(text, *MARKERS, head + table + all_of_it + paying + too_late + optional)
    return report.between(text, *FLOOR_MARKERS, _derivation())


def _dollars(what: str, columns: Sequence[Mapping[str, float]]) -> str:
    return " | ".join(f"{column[what]:,.2f}" for column in columns)


def _assumptions() -> dict[str, str]:
    """What is assumed for a line, in words."""
    assumed = json.loads(FILE.read_text())["assumptions"]
    low, fast = (assumed["rates"][rate] for rate in (LOW, STEADY))
    durations = ", ".join(f"{kind} {millis}" for kind, millis in assumed["milliseconds"].items())
    batches = ", ".join(f"`{function}` {size}" for function, size in fast["messagesInABatch"].items())
    lists = f"{1 - fast['listsThatPassTheCache']:.0%} of the lists come from CloudFront's cache at {STEADY}"
    return {
        "SQS": f"a message is received alone; messages deleted at once at {STEADY}: {batches}, otherwise one",
        "API Gateway": lists,
        "Lambda: runs": f"a relay finds {low['recordsInABatch']} event, {fast['recordsInABatch']} at {STEADY}; {lists}",
        "Lambda: the rest": f"milliseconds of a run at 1,024 MB: {durations}",
        "Lambda: waiting for Stripe": f"{assumed['millisecondsForEachStripeCall']} ms for each call",
        "Lambda: cold starts": f"{assumed['millisecondsOfAColdStart']} ms at 1,024 MB in {low['coldStarts']:.1%} of the"
        f" runs, {fast['coldStarts']:.1%} at {STEADY}",
        "mails": f"{assumed['millisecondsOfAMail']} ms for each, at {assumed['memoryOfTheMailSender']} MB",
        LOGS: f"{assumed['bytesOfAnAccessLogLine']} bytes for a line of the access log; the others are counted",
        "CloudFront: answers": f"{assumed['bytesOfAnAnswer']:,} bytes each",
    }


def _derivation() -> str:
    """The steps of the floor as a table in Markdown."""
    steps = [(step["because"], Row(**step["row"])) for step in json.loads(FLOOR_FILE.read_text())["purchase"]]
    head = "| function | trigger | write units | of indexes | read units | events | Stripe | why |\n"
    rows = []
    for because, row in steps:
        indexes, stripe = (sum(counted.values()) for counted in (row.index_writes, row.stripe_calls))
        amounts = map(_figure, (row.table_writes, indexes, row.reads, row.events, stripe))
        rows.append(f"| `{row.function}` | {row.trigger} | {' | '.join(amounts)} | {because} |\n")
    return f"{head}|---|---|--:|--:|--:|--:|--:|---|\n" + "".join(rows)


def _figure(amount: float) -> str:
    return f"{amount:g}" if amount else ""


def _times(row: Row, share: float) -> "Row":
    """The row of a share of its runs."""
    return (
        row
        if share == 1
        else replace(row, **{name: getattr(row, name) * share for name in ("runs", "reads", "log_bytes")})
    )


def _bill(rows: Sequence[Row], synthesized: dict[str, Any], rate: str = LOW) -> list[Line]:
    memory = {_name(function.module): function.memory for function in functions(synthesized)}
    return bill(rows, json.loads(FILE.read_text()), memory, rate)


def _name(module: str) -> str:
    """The name of a function in the rows, from `functions.orders.api`; the relay is one for all services."""
    return module.removeprefix("functions.").removeprefix("relay.")


def _total(rows: Sequence[Row], amount: Callable[[Row], float]) -> float:
    """The sum over one paid order."""
    return sum(map(amount, rows))


def _sum(lines: Sequence[Line]) -> float:
    return sum(line.dollars for line in lines)


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
    least = {line.what: line.dollars for line in floor()}
    for line in purchase(synthesized):
        figures = f"{line.dollars:8.2f}{least[line.what]:8.2f}"
        sys.stdout.write(f"{line.what:28}{figures}   {line.amount:14,.0f} {line.unit}\n")
    sys.stdout.write(f"the floor: {sum(least.values()):.2f} dollars, {_sum(floor(STEADY)):.2f} at {STEADY}\n")
    sys.stdout.write(f"Mails, not in the sum: {_sum(mails()):.2f} dollars, of which SES {mails()[0].dollars:.2f}\n")
    for result in totals(synthesized):
        verdict = "the target holds" if result.holds else "MISSED"
        sys.stdout.write(f"{result.what}: {result.figure:.2f} dollars; the target is {result.target}: {verdict}\n")
    sys.stdout.write(f"Left out: {json.loads(FILE.read_text())['leftOut']}.\n")


if __name__ == "__main__":
    main()
