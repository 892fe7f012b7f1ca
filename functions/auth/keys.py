"""The keys that sign tokens: versions of one secret in Secrets Manager, identified by their version ids.

The current version signs; the current and the previous version verify. So one rotation keeps all sessions, and two
rotations end every session signed before the first.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from shared import aws, clock

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
    cause calls. Raises the errors of Secrets Manager.
    """

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn
        self._keys: tuple[Key, ...] = ()  # the current one first
        self._read_at = clock.EPOCH
        self._searched_at = clock.EPOCH

    def current(self) -> Key:
        """Return the key that signs."""
        now = clock.now()
        if now - self._read_at >= KEPT:
            self._keys = (self._read("AWSCURRENT"),)
            self._read_at = now
        return self._keys[0]

    def find(self, key_id: str) -> Key | None:
        """Return the key with this id, or None if tokens signed with it are no longer valid."""
        self.current()
        known = self._known(key_id)
        now = clock.now()
        if known is None and now - self._searched_at >= SEARCH_PAUSE:
            # Read both, so that no cached key is older than five minutes. Set the times only afterwards: a failed
            # search does not prove that the key does not exist.
            self._keys = (self._read("AWSCURRENT"), *self._read_previous())
            self._read_at = self._searched_at = now
            known = self._known(key_id)
        return known

    def _known(self, key_id: str) -> Key | None:
        return next((key for key in self._keys if key.id == key_id), None)

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
