"""Signing up and signing in."""

from functions.auth import passwords
from functions.auth.attempts import Counter, TooManyAttempts, counters
from functions.auth.store import UserStore
from functions.auth.tokens import Identity, Tokens
from functions.auth.user import Account, BadCredentials
from shared import clock
from shared.ids import UserID, new_id


def sign_up(store: UserStore, tokens: Tokens, *, email: str, password: str) -> tuple[Identity, str]:
    """A new user and their first token. Raises EmailInUse.

    The token is made first: where it cannot be, nobody is left with an account and no answer.
    """
    identity = Identity(user_id=UserID(new_id()), email=email)
    token = tokens.issue(identity)
    account = Account(id=identity.user_id, email=email, password_hash=passwords.hash_password(password))
    store.add(account, created_at=clock.now())
    return identity, token


def sign_in(store: UserStore, tokens: Tokens, *, email: str, password: str, address: str) -> tuple[Identity, str]:
    """The user with this e-mail and password, and a token for them. Raises BadCredentials, TooManyAttempts.

    An e-mail that nobody has goes the same way in the same time, counters included.
    """
    counted = _count(store, email=email, address=address)
    account = store.account(email)
    is_right = passwords.is_password(password, account.password_hash if account else None)
    if account is None or not is_right:
        raise BadCredentials
    identity = Identity(user_id=account.id, email=account.email)
    token = tokens.issue(identity)
    for counter in counted:
        store.give_back(counter)
    return identity, token


def _count(store: UserStore, *, email: str, address: str) -> list[Counter]:
    """Count this try everywhere, or nowhere and raise TooManyAttempts."""
    now = clock.now()
    counted: list[Counter] = []
    for counter in counters(email=email, address=address, now=now):
        if not store.count(counter):
            for earlier in counted:
                store.give_back(earlier)
            raise TooManyAttempts(counter.retry_after(now))
        counted.append(counter)
    return counted
