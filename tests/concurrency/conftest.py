"""Races on the local AWS's DynamoDB, between real processes: moto is not safe between threads or processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.race_environment import Figures, RaceEnvironment, Sandbox, open_environment

FIGURES = pytest.StashKey[Figures]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report how much was run."""
    if done := config.stash.get(FIGURES, None):
        terminalreporter.section("races")
        terminalreporter.write_line(f"{done.calls} calls in {done.processes} processes, {done.rate:.0f} a second")


@pytest.fixture(scope="session")
def race_environment(
    template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[RaceEnvironment]:
    """The environment, shared by the session."""
    with open_environment(tmp_path_factory.mktemp("races"), template) as race_environment:
        pytestconfig.stash[FIGURES] = race_environment.figures
        yield race_environment


@pytest.fixture
def sandbox(race_environment: RaceEnvironment) -> Iterator[Sandbox]:
    """Empty tables; their invariants are checked after the test."""
    sandbox = race_environment.sandbox()
    yield sandbox
    sandbox.check()
