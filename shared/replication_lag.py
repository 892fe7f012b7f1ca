"""Replication lag: an event that a service has just published may not have reached the other services yet.

A service that does not know a recent id answers 404 with a `Retry-After`, and the caller waits. The function does not
wait itself: anybody can make up recent ids, and would occupy functions with them.
"""

from shared import clock
from shared.ids import created_at_millis

RECENT_MILLIS = 60_000


def is_recent(ident: str) -> bool:
    """Return whether the id was created so recently that its event may not have arrived yet.

    Includes ids less than a minute in the future, since the clock of another machine can be ahead.
    """
    return abs(clock.to_millis(clock.now()) - created_at_millis(ident)) < RECENT_MILLIS
