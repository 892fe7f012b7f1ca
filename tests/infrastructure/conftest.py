"""Fixtures: the templates, wrapped for reading."""

from typing import Any

import pytest

from tests.infrastructure.template import Template
from tests.support.synth import synthesize


@pytest.fixture(scope="session")
def aws(template: dict[str, Any]) -> Template:
    return Template(template)


@pytest.fixture(scope="session")
def local(local_template: dict[str, Any]) -> Template:
    return Template(local_template)


@pytest.fixture(scope="session")
def without_mail(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Return the template of a stage without a sender of mails."""
    return Template(synthesize("dev", tmp_path_factory.mktemp("without-mail")))
