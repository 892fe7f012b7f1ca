"""Who sends a request: the user whose session a token names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from shared import clock

if TYPE_CHECKING:
    from shared.ids import UserID


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user who is signed in, and the session of the request."""

    user_id: "UserID"
    email: str
    session_id: str


def authenticate(store: UserStore, tokens: Tokens, candidates: Iterable[str]) -> Identity | None:
    """Return the identity of the first token that is valid and whose session has not ended, or None.

    Raises botocore's errors.
    """
    now = clock.now()
    for token in candidates:
        claim = tokens.read(token)
        user = store.user(claim.user_id) if claim else None
        if claim and user and user.session(claim.session_id, now=now):
            return Identity(user_id=user.id, email=user.email, session_id=claim.session_id)
    return None
