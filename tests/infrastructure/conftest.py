"""Fixtures: the templates, wrapped for reading."""

from typing import Any

import pytest

from tests.infrastructure.template import Template


@pytest.fixture(scope="session")
def aws(template: dict[str, Any]) -> Template:
    return Template(template)


@pytest.fixture(scope="session")
def local(local_template: dict[str, Any]) -> Template:
    return Template(local_template)
