"""Signing up and signing in."""

from functions.auth import passwords
from functions.auth.attempts import Counter, TooManyAttempts, counters
from functions.auth.store import UserStore
from functions.auth.tokens import Identity, Tokens
from functions.auth.user import Account, BadCredentials, normalise_password
from shared import clock
from shared.ids import UserID, new_id


def sign_up(store: UserStore, tokens: Tokens, *, email: str, password: str) -> tuple[Identity, str]:
    """A new user and their first token; `password` is normalised. Raises EmailInUse.

    The token is made first: where it cannot be, nobody is left with an account and no answer.
    """
    identity = Identity(user_id=UserID(new_id()), email=email)
    token = tokens.issue(identity)
    account = Account(id=identity.user_id, email=email, password_hash=passwords.hash_password(password))
    store.add(account, created_at=clock.now())
    return identity, token


def sign_in(store: UserStore, tokens: Tokens, *, email: str, password: str, address: str) -> tuple[Identity, str]:
    """The user with this e-mail and password, and a token for them. Raises BadCredentials, TooManyAttempts.

    `password` is as it was typed. One that was hashed like that is hashed anew in its normalised form, which fits
    whatever device it is typed on next.
    An e-mail that nobody has goes the same way in the same time, counters included.
    """
    counted = _count(store, email=email, address=address)
    account = store.account(email)
    password_hash = account.password_hash if account else None
    normalised = normalise_password(password)
    # Before passwords were normalised they were hashed as typed. How many hashes are tried depends on the input alone.
    forms = dict.fromkeys((normalised, password))
    right = next((form for form in forms if passwords.is_password(form, password_hash)), None)
    if account is None or right is None:
        raise BadCredentials
    identity = Identity(user_id=account.id, email=account.email)
    token = tokens.issue(identity)
    if right != normalised:
        store.replace_hash(account, passwords.hash_password(normalised))
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
