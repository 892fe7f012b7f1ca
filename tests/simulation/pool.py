"""Concurrent runs, one process for each core."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import batched
from multiprocessing import get_context
from typing import Any

from tests.simulation.mutations import MUTATIONS
from tests.simulation.run import RunResult, run

# Processes are replaced after this many runs, since moto leaks half a megabyte in each. `max_tasks_per_child` does not
# work: if all processes reach it at once, Python's pool starts no new ones.
HISTORIES_OF_A_POOL = 1000

_template: Mapping[str, Any] = {}


def _begin(template: Mapping[str, Any]) -> None:
    global _template  # once for each process
    _template = template
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}


def _run(seed: int) -> RunResult:
    return run(_template, seed)


def _catch(control: str, budget: int) -> RunResult | None:
    guard = MUTATIONS[control]
    for seed in guard.seeds(budget):
        with guard.remove_guard():
            outcome = run(_template, seed, profile=guard.faults)
        if outcome.violation:
            return outcome
    return None


class Pool:
    """Processes that execute runs on one template. A context manager."""

    def __init__(self, template: Mapping[str, Any], *, processes: int | None = None) -> None:
        self._template = template
        self._count = processes or os.cpu_count()
        self._processes = self._started()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.shutdown(cancel_futures=True)

    def run(self, seeds: Iterable[int]) -> Iterator[RunResult]:
        """The outcome of each seed's run, in the order of the seeds."""
        for some in batched(seeds, HISTORIES_OF_A_POOL, strict=False):
            processes = self._started()
            try:
                yield from processes.map(_run, some, chunksize=5)
            finally:
                processes.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._template,)
        )

    def catch(self, control: str, *, budget: int) -> "Future[RunResult | None]":
        """The first run that detects the removed guard, or None if none of `budget` seeds does."""
        return self._processes.submit(_catch, control, budget)
