"""Time, read in one place so that a test can own it.

Instants are aware datetimes in UTC with millisecond precision: what DynamoDB stores (integer milliseconds), what JSON
shows (RFC 3339) and what the rules compare are then the same instant.
"""

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current instant, cut to milliseconds."""
    return from_millis(time.time_ns() // 1_000_000)


def sleep(seconds: float) -> None:
    """Wait; a virtual clock replaces this together with `now`."""
    time.sleep(seconds)


def to_millis(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """The instant that many milliseconds after 1970."""
    return EPOCH + timedelta(milliseconds=int(millis))


def to_rfc3339(instant: datetime) -> str:
    """As in `2026-11-23T15:04:05.678Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
