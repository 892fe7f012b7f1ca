"""Races on the local AWS's DynamoDB, between real processes: moto is not safe between threads or processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import closing
from tests.support.race_environment import RaceEnvironment, Sandbox, open_environment


@pytest.fixture(scope="session")
def race_environment(template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaceEnvironment]:
    """The environment, shared by the session."""
    with open_environment(tmp_path_factory.mktemp("races"), template) as race_environment:
        yield race_environment
        done = race_environment.figures
        closing.LINES.append(
            f"races: {done.calls} calls of handlers in {done.processes} processes, {done.rate:.0f} a second"
        )


@pytest.fixture
def sandbox(race_environment: RaceEnvironment) -> Iterator[Sandbox]:
    """Empty tables; their invariants are checked after the test."""
    sandbox = race_environment.sandbox()
    yield sandbox
    sandbox.check()
