"""Races on the local AWS's DynamoDB, between real processes: moto is not safe between threads, let alone processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.races.ground import Figures, Ground, Market, open_ground

_FIGURES: list[Figures] = []


@pytest.fixture(scope="session")
def ground(template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One for the session."""
    with open_ground(tmp_path_factory.mktemp("races"), template) as ground:
        _FIGURES.append(ground.figures)
        yield ground


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was run."""
    for figures in _FIGURES:
        terminalreporter.write_line(
            f"races: {figures.calls} calls of handlers in {figures.processes} processes, {figures.rate:.0f} a second"
        )


@pytest.fixture
def market(ground: Ground) -> Iterator[Market]:
    """Empty tables; what must hold of them is checked when the test is over."""
    market = ground.market()
    yield market
    market.check()
