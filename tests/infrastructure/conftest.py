"""Fixtures: the templates, wrapped for reading."""

from typing import Any

import pytest

from cdk.stages import Stage
from tests.infrastructure.template import Template
from tests.support.grants import FROM
from tests.support.synth import synthesize_stage


@pytest.fixture(scope="session")
def aws(template: dict[str, Any]) -> Template:
    return Template(template)


@pytest.fixture(scope="session")
def local(local_template: dict[str, Any]) -> Template:
    return Template(local_template)


@pytest.fixture(scope="session")
def with_mail(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Return the template of a stage with a sender of mails."""
    return Template(synthesize_stage(Stage(name="mail", mail_from=FROM), tmp_path_factory.mktemp("mail")))
