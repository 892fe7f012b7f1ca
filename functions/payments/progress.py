"""How far the reconciler has come: pure rules.

Stripe lists an event log from the newest event back. So a log is read in windows, each from its end back to its start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class LogName(StrEnum):
    """An event log that the reconciler reads; the values are names of stored attributes."""

    REFUNDS = "refundLog"
    AUTHORISATIONS = "authorisationLog"


@dataclass(frozen=True, slots=True)
class LogWindow:
    """The part of a log that is to be read: from `until` back to `since`, both inclusive.

    Everything before `since` was read. `until` is None for the newest event. Once a part of the window was read,
    `until` is the oldest instant in it, and `then` the start of the next window.
    """

    since: datetime
    until: datetime | None = None
    then: datetime | None = None

    def opened(self, now: datetime, *, overlap: timedelta) -> "LogWindow":
        """Return the window to read: this one, if a part of it was read, or the one up to `now`.

        The next window begins `overlap` before `now`, since events may appear late in the log.
        """
        return self if self.then else replace(self, then=now - overlap)

    def read_to(self, reached: datetime) -> "LogWindow":
        """Return the window without the part that was read, back to `reached`."""
        return replace(self, until=reached)

    def closed(self) -> "LogWindow":
        """Return the window after this one, which was read as a whole."""
        return LogWindow(self.then or self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress in the logs, and in the due payments: those with a deadline before `due_from` are queued.

    A log that was never read has no window. `due_from` is None if the last run reached the newest due payment.
    """

    logs: Mapping[LogName, LogWindow]
    due_from: datetime | None = None

    def with_log(self, name: LogName, window: LogWindow) -> "Progress":
        """Return the progress with this window of a log."""
        return replace(self, logs={**self.logs, name: window})
