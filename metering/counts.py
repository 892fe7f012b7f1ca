"""`counts.json`: the AWS and Stripe calls of one paid order, end to end, and of each operation.

`python -m benchmarks.calls` measures it again; a test checks that it is current. `cost.py` and `plan.py` derive the
cost and the limits from it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from metering.ledger import Run

FILE = Path(__file__).with_name("counts.json")
METHODS = ("GET ", "POST ", "PUT ", "DELETE ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The runs of one function by one trigger, added up.

    `calls` counts calls to AWS by operation, `stripe_calls` those to Stripe by endpoint. Reads and writes are
    DynamoDB's request units, for the table of the function's own service and its indexes; `events` counts published
    events. `log_bytes` are those of the functions' own lines.
    """

    function: str
    trigger: str
    runs: int
    calls: Mapping[str, int]
    reads: float
    table_writes: int
    index_writes: Mapping[str, int]
    events: int
    stripe_calls: Mapping[str, int]
    log_bytes: int

    @property
    def service(self) -> str:
        """The service of the function: `orders`."""
        return self.function.partition(".")[0]

    @property
    def kind(self) -> str:
        """The kind of function: `api`, `listener`, …"""
        return self.function.partition(".")[2]

    @property
    def is_http(self) -> bool:
        """Whether each run answers a request to the API."""
        return self.trigger.startswith(METHODS)

    @property
    def writes(self) -> int:
        """Write units, including those of the indexes."""
        return self.table_writes + sum(self.index_writes.values())


@dataclass(frozen=True, slots=True)
class Counts:
    """The rows of one purchase in order, and one row for each operation by name."""

    purchase: tuple[Row, ...]
    operations: Mapping[str, Row]


def of_run(run: Run) -> Row:
    """The row of a single run."""
    return Row(
        function=run.function,
        trigger=run.trigger,
        runs=1,
        calls=dict(Counter(run.operations)),
        reads=run.reads,
        table_writes=run.table_writes,
        index_writes=dict(run.index_writes),
        events=sum(len(call.events) for call in run.calls),
        stripe_calls=dict(Counter(map(_endpoint, run.stripe_calls))),
        log_bytes=run.log_bytes,
    )


def of_runs(runs: Iterable[Run]) -> tuple[Row, ...]:
    """The rows of several runs, one for each function and trigger."""
    rows: dict[tuple[str, str], Row] = {}
    for row in map(of_run, runs):
        earlier = rows.get((row.function, row.trigger))
        rows[row.function, row.trigger] = _sum(earlier, row) if earlier else row
    return tuple(rows.values())


def read() -> Counts:
    """Read the last measurement."""
    content = json.loads(FILE.read_text())
    return Counts(
        tuple(Row(**row) for row in content["purchase"]),
        {name: Row(**row) for name, row in content["operations"].items()},
    )


def write(counts: Counts) -> None:
    """Store the measurement, one row per line."""
    purchase = ",\n".join(f"    {json.dumps(asdict(row))}" for row in counts.purchase)
    operations = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(asdict(row))}" for name, row in counts.operations.items()
    )
    FILE.write_text(f'{{\n  "purchase": [\n{purchase}\n  ],\n  "operations": {{\n{operations}\n  }}\n}}\n')


def _sum(one: Row, other: Row) -> Row:
    return Row(
        function=one.function,
        trigger=one.trigger,
        runs=one.runs + other.runs,
        calls=_added(one.calls, other.calls),
        reads=one.reads + other.reads,
        table_writes=one.table_writes + other.table_writes,
        index_writes=_added(one.index_writes, other.index_writes),
        events=one.events + other.events,
        stripe_calls=_added(one.stripe_calls, other.stripe_calls),
        log_bytes=one.log_bytes + other.log_bytes,
    )


def _endpoint(call: str) -> str:
    """The call with `{id}` in place of an object's id, as Stripe counts it: `get /v1/payment_intents/{id}`."""
    return re.sub(r"/(pi|re|ch|acct)_\w+", "/{id}", call)


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))
