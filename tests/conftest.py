"""Fixtures for all layers of tests."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.support import grants
from tests.support.synth import synthesize, synthesize_with_sender

# The duration of an example depends on the load of the machine.
settings.register_profile("without a deadline", settings(), deadline=None)
settings.load_profile("without a deadline")


@pytest.fixture(scope="session", autouse=True)
def _roles() -> Iterator[None]:
    """Fail each AWS call that the function's role on AWS would not allow."""
    with grants.enforced():
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the CloudFormation template of an AWS stage with a sender of mails, as plain JSON."""
    return synthesize_with_sender("dev", tmp_path_factory.mktemp("dev"))


@pytest.fixture(scope="session")
def local_template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the template that `make run` deploys."""
    return synthesize("local", tmp_path_factory.mktemp("local"))
