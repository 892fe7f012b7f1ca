"""The template of the simulated stack."""

from typing import Any

import pytest

from tests.support.synth import synthesize


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the template of a stage without a sender: mails change nothing that an invariant reads."""
    return synthesize("dev", tmp_path_factory.mktemp("without-mail"))
