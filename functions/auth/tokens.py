"""Session tokens: JWTs (RFC 7519), HS256, for 12 hours.

The authorizer imports this, and so only what it takes to check a token.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt

from functions.auth.keys import KeyRing
from shared import clock

if TYPE_CHECKING:
    from shared.ids import UserID

AUDIENCE = "admit-one"
ALGORITHM = "HS256"
LIFE = timedelta(hours=12)
MOST_CANDIDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a token speaks for."""

    user_id: "UserID"
    email: str


class Tokens:
    """Makes and reads the tokens of one stage."""

    def __init__(self, keys: KeyRing, *, stage: str) -> None:
        self._keys = keys
        self._issuer = f"admit-one-{stage}"

    def issue(self, identity: Identity) -> str:
        """A token for this user, signed with the current key."""
        key = self._keys.current()
        now = clock.now()
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": identity.user_id,
            "email": identity.email,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFE).timestamp()),
        }
        return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.id})

    def first(self, candidates: Iterable[str]) -> Identity | None:
        """Whom the first good token speaks for; None if none is good. What AWS raises goes through."""
        return next((identity for token in candidates if (identity := self.read(token))), None)

    def read(self, token: str) -> Identity | None:
        """Whom the token speaks for; None for whatever is not a live token of ours. What AWS raises goes through."""
        key_id = _key_id(token)
        key = self._keys.find(key_id) if key_id else None
        if key is None:
            return None
        try:
            claims = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "exp", "iat", "sub", "email"],
                    # These PyJWT compares with the machine's own clock; ours is compared below.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError:
            return None
        if not isinstance(claims["exp"], int) or claims["exp"] <= clock.now().timestamp():
            return None
        return Identity(user_id=claims["sub"], email=claims["email"])


def tokens_in(header: str | None) -> tuple[str, ...]:
    """The tokens in an `Authorization` header; the scheme's case does not matter.

    `Bearer <token>` has one (RFC 6750). `Session <token> <token> ...` is the edge's own, for a browser with several
    cookies that may each be the session; what comes after the first `MOST_CANDIDATES` is not looked at.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return (token,) if (token := rest.strip()) else ()
        case "session":
            return tuple(rest.split()[:MOST_CANDIDATES])
        case _:
            return ()


def _key_id(token: str) -> str | None:
    try:
        key_id: str | None = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, UnicodeEncodeError):  # the latter for what is no text at all
        return None
    return key_id
