"""Links in mails: each proves that its holder reads the mails to one address.

A link has a token: the user's id and a secret of 256 random bits, of which only a digest is stored, with the user. It
works once, until it expires, for one purpose and while the address is the one to which it was sent.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.ids import is_id

if TYPE_CHECKING:
    from shared.ids import UserID

SECRET_BYTES = 32
MAX_TOKEN_LENGTH = 100
MAX_LINKS = 5
"""For one purpose: a user may ask again before the first mail arrives, and each of the links works."""


class Purpose(StrEnum):
    """What a link does."""

    VERIFY = "verify"
    RESET = "reset"
    CHANGE_EMAIL = "change_email"

    @property
    def life(self) -> timedelta:
        """How long a link works."""
        return timedelta(minutes=30) if self is Purpose.RESET else timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that was mailed to `email` and not used."""

    purpose: Purpose
    email: str
    digest: str
    expires_at: datetime

    def has(self, secret: str) -> bool:
        """Return whether this is the link with this secret; takes equal time for all secrets."""
        return hmac.compare_digest(self.digest, _digest(secret))


def new_link(user_id: "UserID", purpose: Purpose, email: str, *, now: datetime) -> tuple[Link, str]:
    """Return a new link, and its token, which is stored nowhere."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = Link(purpose=purpose, email=email, digest=_digest(secret), expires_at=now + purpose.life)
    return link, f"{user_id}.{secret}"


def parse_token(token: str) -> tuple[str, str] | None:
    """Return the user's id and the secret; None if this is no token."""
    user_id, _, secret = token.partition(".")
    return (user_id, secret) if is_id(user_id) and secret.isascii() else None


def keep(links: Collection[Link], *, now: datetime) -> tuple[Link, ...]:
    """Return the links that still work, at most MAX_LINKS for each purpose: the newest."""
    working = sorted((link for link in links if now < link.expires_at), key=lambda link: link.expires_at)
    return tuple(
        link for purpose in Purpose for link in [each for each in working if each.purpose is purpose][-MAX_LINKS:]
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
