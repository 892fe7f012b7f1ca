"""The use cases of Auth: sign up, sign in, and end sessions."""

from collections.abc import Callable, Iterable
from datetime import datetime

from functions.auth import passwords
from functions.auth.authentication import Identity
from functions.auth.link import Purpose
from functions.auth.mail_queue import MailNotQueued, MailQueue, MailUnavailable
from functions.auth.mails.kinds import NewDevice
from functions.auth.rate_limit import Counter, TooManyAttempts, counters, device_counter, sign_up_counter
from functions.auth.session import Session
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from functions.auth.user import Account, BadCredentials, User, normalise_password
from shared import clock
from shared.ids import UserID, new_id
from shared.telemetry import logger
from shared.unit_of_work import retry_on_conflict


def sign_up(
    store: UserStore,
    tokens: Tokens,
    mails: MailQueue,
    *,
    email: str,
    password: str,
    address: str,
    client: str,
    limit: int,
) -> tuple[Identity, str]:
    """Create an account and return it with the token of its first session. `password` is normalised.

    `limit` is the number of attempts from the network of `address` in one window; all count, so that nobody can find
    out who has an account by trying. Raises TooManyAttempts, PasswordRefused, EmailInUse.

    The token is issued before the account is written: if issuing fails, no account exists without a response.
    """
    now = clock.now()
    passwords.check_new_password(password, email)
    counter = sign_up_counter(address=address, limit=limit, now=now)
    if not store.count(counter):
        raise TooManyAttempts(counter.retry_after(now), "too many accounts were requested from this network")
    session = Session(id=new_id(), client=client, created_at=now)
    user = User(id=UserID(new_id()), email=email, created_at=now, sessions=(session,))
    token = tokens.issue(user.id, session)
    account = Account(id=user.id, email=email, password_hash=passwords.hash_password(password))
    store.insert(user, account)
    _mail_verification(mails, user.id)
    return Identity.of(user, session.id), token


def sign_in(
    store: UserStore,
    tokens: Tokens,
    mails: MailQueue,
    *,
    email: str,
    password: str,
    address: str,
    client: str,
    device_id: str | None,
) -> tuple[Identity, str]:
    """Check e-mail and password, and return the user with the token of a new session.

    Raises BadCredentials, TooManyAttempts.

    `password` is as typed; `address` is the client's IP address; `client` names it in words; `device_id` is None for a
    device that is unknown to the user, who receives a notice. A hash of the password as typed, or with outdated
    parameters, is replaced by one of its normalised form, which is the same on every device. An unknown e-mail takes
    the same steps and the same time, including the counters.
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
    session = Session(id=new_id(), client=client, created_at=now)
    token = tokens.issue(account.id, session)
    user = _begin_session(store, account, session)
    if right != normalised or passwords.is_outdated(account.password_hash):
        store.replace_hash(account, passwords.hash_password(normalised))
    for counter in counted:
        store.give_back(counter)
    if device_id is None:
        mails.put_notice(NewDevice(client=client, at=now), user_id=user.id, at_most_hourly=True)
    return Identity.of(user, session.id), token


def _mail_verification(mails: MailQueue, user_id: UserID) -> None:
    """Mail the first link. If that fails, the account exists nevertheless, and the user can ask for another."""
    try:
        mails.put_link(Purpose.VERIFY, user_id=user_id)
    except MailUnavailable:
        return
    except MailNotQueued as error:
        logger.warning("no mail is sent", mail=Purpose.VERIFY, reason=str(error))


@retry_on_conflict()
def _begin_session(store: UserStore, account: Account, session: Session) -> User:
    """Begin a session, unless the password or the address has changed since the account was read."""
    user = store.user(account.id)
    if user is None or (user.email, user.password_version) != (account.email, account.password_version):
        raise BadCredentials
    begun = user.begin_session(session)
    store.replace(user, begun)
    store.commit()
    return begun


@retry_on_conflict()
def end_sessions(store: UserStore, user_id: UserID, ends: Callable[[Session], bool]) -> None:
    """End the user's sessions for which `ends` holds. No effect if there is none."""
    now = clock.now()
    user = store.user(user_id)
    if user is None or not any(map(ends, user.open_sessions(now))):
        return
    store.replace(user, user.end_sessions(ends, now=now))
    store.commit()


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


@retry_on_conflict()
def suppress(store: UserStore, *, email: str) -> None:
    """Mark an address that has bounced or complained. Does nothing if no user has it."""
    account = store.account(email)
    user = store.user(account.id) if account else None
    if user is None or user.email != email or user.is_email_suppressed:
        return
    store.replace(user, user.suppress_email())
    store.commit()
