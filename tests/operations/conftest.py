"""What operators run, on the services' real handlers and moto's tables."""

from tests.handlers.conftest import stripe, tables, time, world  # noqa: F401 - fixtures
