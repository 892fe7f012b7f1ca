"""Fixtures for operators' commands: the services' real handlers and moto's tables."""

from tests.integration.conftest import stripe, tables, time, world  # noqa: F401 - fixtures
