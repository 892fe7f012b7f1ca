"""A clock for the services under test."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only when advanced. `meanwhile` is called while a function sleeps."""

    def __init__(self) -> None:
        self.instant = START
        self.meanwhile: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(milliseconds=round(seconds * 1000))
        self.meanwhile()

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)
