"""What every layer of tests may use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import closing, grants
from tests.synthesized import synthesize

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before the names are made by which tests are handed out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, a layer stays in one: what it stands on is made once."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS).parts[0]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that has others to report to hands them its closing lines."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["closing"] = closing.LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the closing lines of a process that has ended."""
    closing.LINES += getattr(node, "workeroutput", {}).get("closing", [])


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
