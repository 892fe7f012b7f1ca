"""The local AWS behind microburst, which injects the requested faults; and a table of the results."""

import itertools
import json
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from local.supervision.ports import HOST, Ports
from local.supervision.processes import Child, clean_environment
from tests.fault_injection.fault_case import Case, Verdict
from tests.fault_injection.fault_proxy import RULES, faults_of
from tests.fault_injection.operations import OPERATIONS
from tests.support.faults import MEANINGS, FaultKind
from tests.support.race_environment import RaceEnvironment, open_environment
from tests.support.worker_pool import Race

RUNNERS = 16


@dataclass(frozen=True)
class Results:
    """The verdicts of all cases."""

    cases: list[tuple[Case, Verdict]]
    seconds: float

    def of(self, operation: str) -> list[tuple[Case, Verdict]]:
        """The verdicts of one operation."""
        return [(case, verdict) for case, verdict in self.cases if case.operation == operation]


RESULTS = pytest.StashKey[Results]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report the results as a table."""
    if results := config.stash.get(RESULTS, None):
        terminalreporter.section("fault injection")
        for line in _table(results):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def results(template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Results:
    """Run each operation once without a fault, to learn its calls, and then once for each call and each fault."""
    folder = tmp_path_factory.mktemp("faults")
    began = time.monotonic()
    with open_environment(folder, template) as race_environment:
        port = Ports.free().aws
        url = f"http://{HOST}:{port}"
        burst = Child(
            "microburst",
            [sys.executable, "-m", "microburst", "-u", race_environment.aws.url, "-p", str(port), "--host", HOST],
            log=folder / "microburst.log",
            environment=clean_environment(),
        )
        try:
            _set_rules(url, burst)
            environment = race_environment.environment | {
                "FAULTY_ENDPOINT": url,
                "TABLES": json.dumps(race_environment.definitions),
            }
            numbers = itertools.count(1)
            fair = [Case(operation, None, f"case-{next(numbers)}") for operation in OPERATIONS]
            tried = _run(race_environment, environment, fair)
            faulty = [
                Case(case.operation, fault, f"case-{next(numbers)}")
                for case, verdict in tried
                for fault in faults_of(verdict.calls)
            ]
            Random(0).shuffle(faulty)  # noqa: S311  # not to be secret: no runner may have all those that hang
            results = Results(tried + _run(race_environment, environment, faulty), time.monotonic() - began)
        finally:
            burst.stop()
    pytestconfig.stash[RESULTS] = results
    return results


def _table(results: Results) -> Iterator[str]:
    """A table of operation by fault, and how the caller got a correct answer."""
    yield "Faults between a function and AWS, on each call of an operation. Number of cases with a correct answer"
    yield "at once + on a retry + on a retry after the expiry of a dead process's lease (30 s)"
    yield f"{'operation':35} calls" + "".join(f"{kind:>14}" for kind in FaultKind)
    for operation in OPERATIONS:
        ways: dict[str, Counter[str]] = defaultdict(Counter)
        calls = 0
        for case, verdict in results.of(operation):
            if case.fault is None:
                calls = len(verdict.calls)
            else:
                ways[case.fault.kind][verdict.way] += 1
        yield f"{operation:35} {calls:5}" + "".join(f"{_cell(ways[kind]):>14}" for kind in FaultKind)
    yield f"{len(results.cases)} cases in {results.seconds:.0f} s"
    for kind, meaning in MEANINGS.items():
        yield f"{kind:>13}: {meaning}"


def _cell(ways: Counter[str]) -> str:
    if not ways:
        return "-"
    if ways["WRONG"]:
        return f"WRONG {ways['WRONG']}"
    return f"{ways['at once']}+{ways['on repeating']}+{ways['after the lease']}"


def _run(
    race_environment: RaceEnvironment, environment: dict[str, str], cases: list[Case]
) -> list[tuple[Case, Verdict]]:
    runners = [cases[number::RUNNERS] for number in range(min(RUNNERS, len(cases)))]
    ran = race_environment.race(Race(environment, runners))
    return [pair for cases, verdicts in zip(runners, ran, strict=True) for pair in zip(cases, verdicts, strict=True)]


def _set_rules(url: str, burst: Child) -> None:
    until = time.monotonic() + 30
    while True:
        with suppress(OSError):
            request = urllib.request.Request(  # noqa: S310  # our own local server
                f"{url}/_microburst/rules",
                data=json.dumps(RULES).encode(),
                headers={"Content-Type": "application/json"},
                method="POST",
            )
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                return
        assert time.monotonic() < until, burst.output()
        time.sleep(0.05)
