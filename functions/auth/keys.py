"""The keys that sign tokens: versions of one secret in Secrets Manager, identified by their version ids.

The current version signs; the current and the previous version verify. So one rotation keeps all sessions, and two
rotations end every session signed before the first.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from shared import aws, clock
from shared.secret_cache import SecretCache

KEPT = timedelta(minutes=5)
SEARCH_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Key:
    """One version of the secret."""

    id: str
    secret: str = field(repr=False)


class KeyRing:
    """A cache of the keys of one secret, refreshed after five minutes, so that retired keys stop verifying.

    An unknown id triggers a refresh, since the key may be new, but at most once a second, so that forged ids do not
    cause calls. While Secrets Manager does not respond, the cached keys stay in use (`SecretCache`). Raises the errors
    of Secrets Manager for a key that is not cached.
    """

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn
        self._keys = SecretCache(self._refresh, ttl=KEPT)  # the current one first
        self._searched_at = clock.EPOCH

    def current(self) -> Key:
        """Return the key that signs."""
        return self._keys.get()[0]

    def find(self, key_id: str) -> Key | None:
        """Return the key with this id, or None if tokens signed with it are no longer valid."""
        self.current()
        known = self._known(key_id)
        now = clock.now()
        if known is None and now - self._searched_at >= SEARCH_PAUSE:
            # Read both, so that no cached key is older than five minutes. Set the time only afterwards: a failed search
            # does not prove that the key does not exist.
            self._keys.put(self._read_both())
            self._searched_at = now
            known = self._known(key_id)
        return known

    def _refresh(self) -> tuple[Key, ...]:
        """Read the current key, and the previous one if it was in use: an outage may begin before its next token."""
        return self._read_both() if len(self._keys.cached or ()) > 1 else (self._read("AWSCURRENT"),)

    def _read_both(self) -> tuple[Key, ...]:
        return (self._read("AWSCURRENT"), *self._read_previous())

    def _known(self, key_id: str) -> Key | None:
        return next((key for key in self._keys.cached or () if key.id == key_id), None)

    def _read(self, stage: str) -> Key:
        found = aws.secretsmanager().get_secret_value(SecretId=self._secret_arn, VersionStage=stage)
        return Key(found["VersionId"], found["SecretString"])

    def _read_previous(self) -> tuple[Key, ...]:
        """Return the previous key; empty if the secret was never rotated."""
        try:
            return (self._read("AWSPREVIOUS"),)
        except aws.secretsmanager().exceptions.ResourceNotFoundException:
            return ()


@cache
def key_ring(secret_arn: str) -> KeyRing:
    """Return the process's key ring for this secret."""
    return KeyRing(secret_arn)
