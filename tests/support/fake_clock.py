"""A clock for the services under test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only when advanced. `meanwhile` is called while a function sleeps.

    `instant` is the true time. `now` is the time as the running function sees it.
    """

    def __init__(self) -> None:
        self.instant = START
        self.meanwhile: Callable[[], object] = lambda: None
        self._skew = timedelta()

    def now(self) -> datetime:
        return self.instant + self._skew

    @contextmanager
    def skewed(self, by: timedelta) -> Iterator[None]:
        """Run with a clock that is fast by this time, or slow."""
        outside, self._skew = self._skew, by
        try:
            yield
        finally:
            self._skew = outside

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(milliseconds=round(seconds * 1000))
        self.meanwhile()

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)
