"""The operators' commands on moto, with data that the real handlers have written."""

from tests.support.handler_fixtures import stripe, tables, time, world

__all__ = ["stripe", "tables", "time", "world"]
