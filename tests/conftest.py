"""What every layer of tests may use."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import closing, grants
from tests.synthesized import synthesize


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the layers had to tell."""
    for line in closing.LINES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _roles() -> Iterator[None]:
    """No function calls what its role on AWS would not allow."""
    with grants.enforced():
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The CloudFormation template of an AWS stage, as plain JSON."""
    return synthesize("dev", tmp_path_factory.mktemp("dev"))


@pytest.fixture(scope="session")
def local_template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template that `make run` deploys."""
    return synthesize("local", tmp_path_factory.mktemp("local"))
