"""The keys that sign tokens: versions of one secret in Secrets Manager, known by their version ids.

The current version signs; the current and the previous one verify, so a rotation logs nobody out. What is older than
that is nothing: two rotations end every session that is left.
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
    """The keys of one secret, read on first use and again after five minutes, when a retired key is forgotten.

    An id that is not known makes it look once more, for it may be a key made a moment ago, but not twice in a second:
    made-up ids must not become calls. Whatever Secrets Manager raises goes through.
    """

    def __init__(self, secret_arn: str) -> None:
        self._secret_arn = secret_arn
        self._keys: tuple[Key, ...] = ()  # the current one first
        self._read_at = clock.EPOCH
        self._searched_at = clock.EPOCH

    def current(self) -> Key:
        """The key that signs."""
        now = clock.now()
        if now - self._read_at >= KEPT:
            self._keys = (self._read("AWSCURRENT"),)
            self._read_at = now
        return self._keys[0]

    def find(self, key_id: str) -> Key | None:
        """The key with this id, if tokens signed with it still count."""
        self.current()
        known = self._known(key_id)
        now = clock.now()
        if known is None and now - self._searched_at >= SEARCH_PAUSE:
            # Both are read, so that what is kept is never older than five minutes; and only then is the time noted,
            # for a search that failed has not shown that there is no such key.
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
        """The key before the current one; none where it was never rotated."""
        try:
            return (self._read("AWSPREVIOUS"),)
        except aws.secretsmanager().exceptions.ResourceNotFoundException:
            return ()


@cache
def key_ring(secret_arn: str) -> KeyRing:
    """The process's keys of this secret."""
    return KeyRing(secret_arn)
