"""Hiding the short gap between services: what one has just told may not have reached another's table yet."""

from collections.abc import Callable
from datetime import timedelta

from shared import clock
from shared.ids import born

YOUNG_MILLIS = 60_000
WAIT = timedelta(seconds=2)
PAUSE_SECONDS = 0.1


def is_young(ident: str) -> bool:
    """Whether what this id names was made so lately that the news of it may still be on its way.

    One from the future was not made here, unless another machine's clock is ahead.
    """
    return abs(clock.to_millis(clock.now()) - born(ident)) < YOUNG_MILLIS


def wait_for[T](read: Callable[[], T | None], ident: str) -> T | None:
    """What `read` finds; where that is nothing yet and the id is young, what it finds within 2 seconds."""
    until = clock.now() + WAIT
    while (found := read()) is None and is_young(ident) and clock.now() < until:
        clock.sleep(PAUSE_SECONDS)
    return found
