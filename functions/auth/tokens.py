"""Session tokens: JWTs (RFC 7519), HS256, which name a user and a session.

A token proves only that Auth has issued it: whether its session goes on is in the Users table.

The authorizer imports this module, so it imports only what verifying a token needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from functions.auth.keys import KeyRing
from shared import clock

if TYPE_CHECKING:
    from functions.auth.session import Session
    from shared.ids import UserID

AUDIENCE = "admit-one"
ALGORITHM = "HS256"
MAX_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class SessionClaim:
    """The session that a token names, and its user."""

    user_id: "UserID"
    session_id: str


class Tokens:
    """Issues and verifies the tokens of one stage."""

    def __init__(self, keys: KeyRing, *, stage: str) -> None:
        self._keys = keys
        self._issuer = f"admit-one-{stage}"

    def issue(self, user_id: "UserID", session: "Session") -> str:
        """Return the token of a session, signed with the current key. Raises botocore's errors."""
        expires = int(session.expires_at.timestamp())
        return self.sign({"aud": AUDIENCE, "sub": user_id, "sid": session.id, "exp": expires})

    def sign(self, claims: Mapping[str, object]) -> str:
        """Return a JWT of these claims, which need `aud` and `exp`, signed with the current key.

        Raises botocore's errors.
        """
        key = self._keys.current()
        stamped = {"iss": self._issuer, "iat": int(clock.now().timestamp()), **claims}
        return jwt.encode(stamped, key.secret, algorithm=ALGORITHM, headers={"kid": key.id})

    def read(self, token: str) -> SessionClaim | None:
        """Verify a token and return what it claims; None if it is invalid or expired. Raises botocore's errors."""
        claims = self.verify(token, audience=AUDIENCE, required=("sub", "sid"))
        return SessionClaim(claims["sub"], str(claims["sid"])) if claims else None

    def verify(self, token: str, *, audience: str, required: tuple[str, ...]) -> dict[str, Any] | None:
        """Verify a JWT of this stage and return its claims; None if it is invalid, expired or for another audience.

        Raises botocore's errors.
        """
        key_id = _key_id(token)
        key = self._keys.find(key_id) if key_id else None
        if key is None:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "exp", "iat", *required],
                    # PyJWT compares these with the machine's clock; `exp` is compared with ours below.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError:
            return None
        if not isinstance(claims["exp"], int) or claims["exp"] <= clock.now().timestamp():
            return None
        return claims


def tokens_in(header: str | None) -> tuple[str, ...]:
    """Return the tokens in an `Authorization` header. The scheme is case-insensitive.

    `Bearer <token>` has one token (RFC 6750). `Session <token> <token> ...` is set by the edge if a browser sends
    several session cookies; tokens after the first `MAX_CANDIDATES` are ignored.
    """
    scheme, _, rest = (header or "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return (token,) if (token := rest.strip()) else ()
        case "session":
            return tuple(rest.split()[:MAX_CANDIDATES])
        case _:
            return ()


def _key_id(token: str) -> str | None:
    try:
        key_id: str | None = jwt.get_unverified_header(token).get("kid")
    except (jwt.InvalidTokenError, UnicodeEncodeError):  # the latter for unpaired surrogates
        return None
    return key_id
