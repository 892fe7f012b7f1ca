"""Repairs after an outage: how fast payments that are due and orders that are overdue are found, queued and repaired.

Runs the real reconciler, settler, sweep and expirer in processes of their own, as many as a stage with default settings
allows, on the local AWS and the local Stripe. The workers receive their batches from the benchmark and not from the
local queue, which takes longer for each message the more it holds. If a task is not performed, the run raises an error
and yields no figure.

`python -m benchmarks.repairs` measures the size of a large outage.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import batched
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import get_session

from benchmarks import report
from benchmarks.overdue_load import UNTOUCHED, Load, open_load
from benchmarks.result import Result
from benchmarks.zips import template
from cdk.orders import EXPIRER_CONCURRENCY
from cdk.stages import read_stage
from shared import aws, work_queue
from tests.support.lambda_events import sqs_batch

STAGE = "dev"  # has the default settings
RECONCILER, SETTLER = "payments.reconciler", "payments.settler"
SWEEP, EXPIRER = "orders.sweep", "orders.expirer"
STRIPE_SECONDS = 0.25
"""Duration of a call to Stripe: the bill assumes the same (`benchmarks/prices.json`)."""
MAPPING = "AWS::Lambda::EventSourceMapping"
WITHIN_MINUTES = 60
OUTAGE = 100_000
_REPAIRED = {SETTLER: "PaymentsRepaired", EXPIRER: "OrdersSwept"}
"""The metric that each worker counts for a task."""


@dataclass(frozen=True, slots=True)
class Size:
    """Number of unsettled payments, of those that are due among them, and of overdue orders.

    `settled` and `expired` of them are repaired: enough to know the rate. The others are queued only.
    `slow` payments of each worker are settled while Stripe is slow.
    """

    unsettled: int
    due: int
    settled: int
    slow: int
    overdue: int
    expired: int


QUICK = Size(unsettled=2_000, due=500, settled=200, slow=10, overdue=2_000, expired=500)
USUAL = Size(unsettled=10_000, due=1_000, settled=1_000, slow=40, overdue=10_000, expired=2_000)
FULL = Size(unsettled=100_000, due=10_000, settled=1_000, slow=40, overdue=100_000, expired=2_000)


@dataclass(frozen=True, slots=True)
class Search:
    """One run of the reconciler or the sweep: its tasks, and what it took."""

    tasks: list[str]
    seconds: float
    processor_seconds: float
    items_read: int


@dataclass(frozen=True, slots=True)
class Work:
    """The rate of all workers, in tasks a second, and the processor time of one task."""

    rate: float
    processor_seconds_each: float


def measure(*, quick: bool) -> list[Result]:
    """The figures of the usual size."""
    return _measure(QUICK if quick else USUAL)


def _measure(size: Size, parts: Sequence[str] = ("payments", "orders")) -> list[Result]:
    measures = {"payments": _payments, "orders": _orders}
    with tempfile.TemporaryDirectory() as folder, open_load(Path(folder), template(), STAGE) as load:
        return [result for part in parts for result in measures[part](load, size)]


def _payments(load: Load, size: Size) -> list[Result]:
    complete = load.unsettled_payments(size.unsettled, due=size.due, complete=size.settled)
    searches = _search_until_queued(load, RECONCILER, size.due)
    log = load.stripe.calls.total()
    tasks = _tasks_of(complete, searches)
    settlers, prod_settlers = (read_stage(stage).settler_concurrency for stage in (STAGE, "prod"))
    local = _perform(load, SETTLER, tasks[: -size.slow * (settlers + prod_settlers)], workers=settlers)
    load.stripe.latency = STRIPE_SECONDS
    slow = tasks[-size.slow * (settlers + prod_settlers) :]
    default = _perform(load, SETTLER, slow[: size.slow * settlers], workers=settlers)
    prod = _perform(load, SETTLER, slow[size.slow * settlers :], workers=prod_settlers)
    load.stripe.latency = 0.0
    untouched = sum(number for call, number in load.stripe.calls.items() if UNTOUCHED in call)
    return [
        Result(what="reconciler: a run", figure=searches[0].seconds, unit="s"),
        Result(what="reconciler: processor", figure=searches[0].processor_seconds, unit="s"),
        Result(
            what="reconciler: items read",
            figure=searches[0].items_read / size.due,
            unit="for a due payment",
            target=1.01,
        ),
        Result(what="reconciler: runs to queue all due payments", figure=len(searches), unit="runs", target=1),
        Result(what="reconciler: calls to Stripe for its log", figure=log, unit="calls", target=2 * len(searches)),
        Result(
            what="reconciler and settler: calls to Stripe for payments on their normal course",
            figure=untouched,
            unit="calls",
            target=0,
        ),
        Result(what="settler: rate of one worker", figure=local.rate / settlers, unit="payments a second"),
        Result(what="settler: processor", figure=1000 * local.processor_seconds_each, unit="ms for a payment"),
        *(
            Result(
                what=f"settler, {STRIPE_SECONDS} s for a call to Stripe: {workers} workers",
                figure=work.rate,
                unit="payments a second",
            )
            for workers, work in ((settlers, default), (prod_settlers, prod))
        ),
    ]


def _orders(load: Load, size: Size) -> list[Result]:
    complete = load.overdue_orders(size.overdue, complete=size.expired)
    searches = _search_until_queued(load, SWEEP, size.overdue)
    tasks = _tasks_of(complete, searches)
    work = _perform(load, EXPIRER, tasks, workers=EXPIRER_CONCURRENCY)
    seconds = sum(search.seconds for search in searches)
    whole = (seconds / size.overdue + 1 / work.rate) * OUTAGE / 60
    return [
        Result(what="sweep: to queue all overdue orders", figure=seconds, unit="s"),
        Result(what="sweep: processor", figure=sum(search.processor_seconds for search in searches), unit="s"),
        Result(what="sweep: runs", figure=len(searches), unit="runs", target=1),
        Result(what="expirer: rate of one worker", figure=work.rate / EXPIRER_CONCURRENCY, unit="orders a second"),
        Result(what="expirer: processor", figure=1000 * work.processor_seconds_each, unit="ms for an order"),
        Result(what=f"{OUTAGE:,} overdue orders, at this rate", figure=whole, unit="minutes", target=WITHIN_MINUTES),
    ]


def _tasks_of(orders: set[str], searches: Sequence[Search]) -> list[str]:
    """The tasks of these orders, in the order in which they were queued."""
    return [task for search in searches for task in search.tasks if json.loads(task)["orderID"] in orders]


def _batch_size(module: str) -> int:
    """The number of messages that a worker's queue delivers at once."""
    function = {"Ref": _function(module)}
    mappings = (each["Properties"] for each in template()["Resources"].values() if each["Type"] == MAPPING)
    return int(next(mapping["BatchSize"] for mapping in mappings if mapping["FunctionName"] == function))


def _function(module: str) -> str:
    """The logical id of a function."""
    handler = f"functions.{module}.handler"
    resources: dict[str, Any] = template()["Resources"]
    return next(name for name, each in resources.items() if each.get("Properties", {}).get("Handler") == handler)


def _search_until_queued(load: Load, module: str, wanted: int) -> list[Search]:
    """Let the function run until it has queued so many tasks; each run finds an empty queue."""
    searches: list[Search] = []
    while (queued := sum(len(search.tasks) for search in searches)) < wanted:
        searches.append(_search(load, module))
        if not searches[-1].tasks:
            raise RuntimeError(f"{module} queued {queued} of {wanted}")
    return searches


def _search(load: Load, module: str) -> Search:
    """Let the function run once; what it queued is removed from the queue."""
    timeout = template()["Resources"][_function(module)]["Properties"]["Timeout"]
    with _processes(load, module, 1) as processes:
        search = processes.apply(_run_search, (module, timeout))
    queues = load.aws.queues()
    for url in (load.environment["DUE_QUEUE_URL"], load.environment["OVERDUE_QUEUE_URL"]):
        queues.purge_queue(QueueUrl=url)
    return search


def _perform(load: Load, module: str, tasks: Sequence[str], *, workers: int) -> Work:
    """Let this number of workers perform the tasks, in batches as their queue delivers them."""
    share = -(-len(tasks) // workers)
    shares = [list(batched(some, _batch_size(module), strict=False)) for some in batched(tasks, share, strict=False)]
    with _processes(load, module, workers) as processes:
        spans = processes.starmap(_run_worker, [(module, batches) for batches in shares], 1)
    return Work(
        rate=len(tasks) / (max(span.ended for span in spans) - min(span.began for span in spans)),
        processor_seconds_each=sum(span.processor_seconds for span in spans) / len(tasks),
    )


@contextmanager
def _processes(load: Load, module: str, count: int) -> Iterator[Pool]:
    """Processes with the function's environment that have loaded it and start at the same instant."""
    context = multiprocessing.get_context("spawn")
    table = {"TABLE_NAME": module.partition(".")[0]}
    arguments = (load.environment | table, module, context.Barrier(count))
    with context.Pool(count, initializer=_load_function, initargs=arguments) as processes:
        yield processes


def _load_function(environment: dict[str, str], module: str, gate: Barrier) -> None:
    os.environ.update(environment)
    aws._client = cache(_patient_client)  # noqa: SLF001  # shared by all functions of the process
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # log lines are formatted as usual, and discarded
    importlib.import_module(f"functions.{module}")
    gate.wait()


def _patient_client(service: str) -> object:
    """A client as in `shared.aws`, with a longer timeout: for each page the local DynamoDB sorts the index."""
    config = Config(user_agent="admit-one", parameter_validation=False, read_timeout=30)
    return get_session().create_client(service, config=config)


@dataclass(frozen=True, slots=True)
class _Span:
    """When a worker began and ended, on the machine's monotonic clock."""

    began: float
    ended: float
    processor_seconds: float


def _run_worker(module: str, batches: Sequence[Sequence[str]]) -> _Span:
    """Perform the batches in this process. Raises RuntimeError if a task was not performed."""
    function = sys.modules[f"functions.{module}"]
    counted: Counter[str] = Counter()

    def note(metric: str, _number: float = 1) -> None:
        counted[metric] += 1

    function.count = work_queue.count = note  # type: ignore[attr-defined,assignment]  # handlers catch errors
    began, used = time.monotonic(), time.process_time()
    for batch in batches:
        function.handler(sqs_batch(*map(json.loads, batch)), None)
    span = _Span(began, time.monotonic(), time.process_time() - used)
    if counted != {_REPAIRED[module]: sum(map(len, batches))}:
        raise RuntimeError(f"{sum(map(len, batches))} tasks of {module}: {counted}")
    return span


def _run_search(module: str, timeout: int) -> Search:
    """Run the function once in this process, and record what it reads and queues."""
    tasks: list[str] = []
    read: list[int] = []

    def note_page(parsed: Mapping[str, Any], **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    def note_item(**_: Any) -> None:
        read.append(1)

    def note_batch(parsed: Mapping[str, Any], **_: Any) -> None:
        read.extend(len(items) for items in parsed["Responses"].values())

    def note_tasks(params: Mapping[str, Any], **_: Any) -> None:
        tasks.extend(entry["MessageBody"] for entry in params["Entries"])

    aws.dynamodb().meta.events.register("after-call.dynamodb.Query", note_page)
    aws.dynamodb().meta.events.register("after-call.dynamodb.GetItem", note_item)
    aws.dynamodb().meta.events.register("after-call.dynamodb.BatchGetItem", note_batch)
    aws.sqs().meta.events.register("provide-client-params.sqs.SendMessageBatch", note_tasks)
    began, used = time.monotonic(), time.process_time()
    sys.modules[f"functions.{module}"].handler({}, _Context(began + timeout))
    return Search(tasks, time.monotonic() - began, time.process_time() - used, sum(read))


@dataclass(frozen=True, slots=True)
class _Context:
    """Lambda's context of a run that is stopped at this time, of the monotonic clock."""

    until: float

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self.until - time.monotonic()))


def main() -> None:
    """Measure and print the figures of a large outage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repairs")
    parser.add_argument("parts", nargs="*", default=["payments", "orders"], help="payments, orders; default: both")
    parts: list[str] = parser.parse_args().parts
    sys.stdout.write(report.table([result.as_json() for result in _measure(FULL, parts)]))


if __name__ == "__main__":
    main()
