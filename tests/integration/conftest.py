"""The real handlers on moto."""

from tests.support.handler_fixtures import stripe, tables, time, world

__all__ = ["stripe", "tables", "time", "world"]
