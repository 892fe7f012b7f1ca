"""Replication lag: an event that a service has just published may not have reached the other services yet."""

from collections.abc import Callable
from datetime import timedelta

from shared import clock
from shared.ids import created_at_millis

RECENT_MILLIS = 60_000
WAIT = timedelta(seconds=2)
PAUSE_SECONDS = 0.1


def is_recent(ident: str) -> bool:
    """Return whether the id was created so recently that its event may not have arrived yet.

    Includes ids less than a minute in the future, since the clock of another machine can be ahead.
    """
    return abs(clock.to_millis(clock.now()) - created_at_millis(ident)) < RECENT_MILLIS


def read_until_replicated[T](read: Callable[[], T | None], ident: str) -> T | None:
    """Return the result of `read`. If it is None and the id is recent, read again for up to WAIT."""
    until = clock.now() + WAIT
    while (found := read()) is None and is_recent(ident) and clock.now() < until:
        clock.sleep(PAUSE_SECONDS)
    return found
