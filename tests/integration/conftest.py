"""The real handlers on moto."""

from tests.support.handler_fixtures import ses, stripe, tables, time, world

__all__ = ["ses", "stripe", "tables", "time", "world"]
