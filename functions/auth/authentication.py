"""Who sends a request: the user whose session a token names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from functions.auth.user import User
from shared import clock

if TYPE_CHECKING:
    from shared.ids import UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user who is signed in, and the session of the request."""

    user_id: "UserID"
    email: str
    email_verified: bool
    email_suppressed: bool
    session_id: str

    @classmethod
    def of(cls, user: User, session_id: str) -> Self:
        """Return the identity of this user in this session."""
        return cls(
            user_id=user.id,
            email=user.email,
            email_verified=user.email_verified,
            email_suppressed=user.is_email_suppressed,
            session_id=session_id,
        )


def authenticate(store: UserStore, tokens: Tokens, candidates: Iterable[str]) -> Identity | None:
    """Return the identity of the first token that is valid and whose session has not ended, or None.

    Raises botocore's errors.
    """
    now = clock.now()
    for token in candidates:
        claim = tokens.read(token)
        user = store.user(claim.user_id) if claim else None
        if claim and user and user.session(claim.session_id, now=now):
            return Identity.of(user, claim.session_id)
    return None
