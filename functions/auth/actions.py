"""The use cases of Auth: sign up and sign in."""

from collections.abc import Iterable
from datetime import datetime

from functions.auth import passwords
from functions.auth.rate_limit import Counter, TooManyAttempts, counters, device_counter, sign_up_counter
from functions.auth.store import UserStore
from functions.auth.tokens import Identity, Tokens
from functions.auth.user import Account, BadCredentials, normalise_password
from shared import clock
from shared.ids import UserID, new_id


def sign_up(
    store: UserStore, tokens: Tokens, *, email: str, password: str, address: str, limit: int
) -> tuple[Identity, str]:
    """Create an account and return it with its first token. `password` is normalised.

    `limit` is the number of attempts from the network of `address` in one window; all count, so that nobody can find
    out who has an account by trying. Raises TooManyAttempts, EmailInUse.

    The token is issued before the account is written: if issuing fails, no account exists without a response.
    """
    now = clock.now()
    counter = sign_up_counter(address=address, limit=limit, now=now)
    if not store.count(counter):
        raise TooManyAttempts(counter.retry_after(now), "too many accounts were requested from this network")
    identity = Identity(user_id=UserID(new_id()), email=email)
    token = tokens.issue(identity)
    account = Account(id=identity.user_id, email=email, password_hash=passwords.hash_password(password))
    store.add(account, created_at=clock.now())
    return identity, token


def sign_in(
    store: UserStore, tokens: Tokens, *, email: str, password: str, address: str, device_id: str | None
) -> tuple[Identity, str]:
    """Check e-mail and password, and return the user with a new token. Raises BadCredentials, TooManyAttempts.

    `password` is as typed; `address` is the client's IP address; `device_id` is None for a device that is unknown to
    the user. A hash of the password as typed is replaced by one of its normalised form, which is the same on every
    device. An unknown e-mail takes the same steps and the same time, including the counters.
    """
    now = clock.now()
    known = (device_counter(device_id, now=now),) if device_id else None
    counted = _count(store, known or counters(email=email, address=address, now=now), now)
    account = store.account(email)
    password_hash = account.password_hash if account else None
    normalised = normalise_password(password)
    # Older hashes are of the password as typed. The number of hashes tried depends on the input only (timing).
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


def _count(store: UserStore, counters_to_add: Iterable[Counter], now: datetime) -> list[Counter]:
    """Add the attempt to all counters; if one is full, undo the others and raise TooManyAttempts."""
    counted: list[Counter] = []
    for counter in counters_to_add:
        if not store.count(counter):
            for earlier in counted:
                store.give_back(earlier)
            raise TooManyAttempts(counter.retry_after(now))
        counted.append(counter)
    return counted
