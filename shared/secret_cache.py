"""Values from Secrets Manager, cached per process.

An outage of Secrets Manager fails no request that the cached values can serve.
"""

from collections.abc import Callable
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from shared import clock

MAX_STALE = timedelta(hours=12)
"""How long a value stays in use while it cannot be read again: the life of a session token."""

RETRY_PAUSE = timedelta(seconds=30)
"""The time between two attempts to read a value again. Each keeps a request waiting, two seconds at most."""


class SecretCache[Value]:
    """A value that `read` returns, read again once it is older than `ttl`.

    If the value cannot be read again, the cached one stays in use until it is older than `MAX_STALE`, and the next
    attempt follows after `RETRY_PAUSE`. `get` raises the errors of botocore if there is no such value.
    """

    def __init__(self, read: Callable[[], Value], *, ttl: timedelta) -> None:
        self._read = read
        self._ttl = ttl
        self._value: Value | None = None
        self._read_at = clock.EPOCH
        self._tried_at = clock.EPOCH

    @property
    def cached(self) -> Value | None:
        """The value that was read last, or None."""
        return self._value

    def get(self) -> Value:
        """Return the value, read at most `ttl` ago if Secrets Manager responds."""
        now = clock.now()
        if self._value is not None and now - self._read_at < self._ttl:
            return self._value
        usable = self._value if now - self._read_at < MAX_STALE else None
        if usable is not None and now - self._tried_at < RETRY_PAUSE:
            return usable
        self._tried_at = now
        try:
            value = self._read()
        except (BotoCoreError, ClientError) as error:
            if usable is None:
                raise
            from shared.telemetry import logger  # the authorizer does not need it otherwise

            logger.warning("a secret could not be read again; the cached one stays in use", reason=str(error))
            return usable
        self.put(value)
        return value

    def put(self, value: Value) -> None:
        """Cache a value that was just read."""
        self._value = value
        self._read_at = clock.now()
