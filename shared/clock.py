"""The only module that reads the time, so that tests can replace it.

Instants are aware datetimes in UTC with millisecond precision, so that the value stored in DynamoDB (integer
milliseconds), the value in JSON (RFC 3339) and the value that rules compare are the same.
"""

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the current instant, truncated to milliseconds."""
    return from_millis(time.time_ns() // 1_000_000)


def sleep(seconds: float) -> None:
    """Wait. A virtual clock replaces this function together with `now`."""
    time.sleep(seconds)


def to_millis(instant: datetime) -> int:
    """Return the milliseconds since 1970-01-01T00:00:00Z."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """Return the instant for a number of milliseconds since 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(milliseconds=int(millis))


def to_rfc3339(instant: datetime) -> str:
    """Format an instant as in `2026-11-23T15:04:05.678Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
