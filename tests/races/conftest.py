"""Races on the local AWS's DynamoDB, between real processes: moto is not safe between threads, let alone processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import closing
from tests.races.ground import Ground, Market, open_ground


@pytest.fixture(scope="session")
def ground(template: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One for the session."""
    with open_ground(tmp_path_factory.mktemp("races"), template) as ground:
        yield ground
        done = ground.figures
        closing.LINES.append(
            f"races: {done.calls} calls of handlers in {done.processes} processes, {done.rate:.0f} a second"
        )


@pytest.fixture
def market(ground: Ground) -> Iterator[Market]:
    """Empty tables; what must hold of them is checked when the test is over."""
    market = ground.market()
    yield market
    market.check()
