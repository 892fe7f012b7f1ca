"""The use cases that change an account: prove its address, set a new password, move to another address.

Each reads the user, decides, and writes on the condition of the user's revision, so changes of one user follow one
another: of two that use one link, the second finds it used.
"""

from collections.abc import Collection

from functions.auth import passwords
from functions.auth.authentication import Identity
from functions.auth.link import Purpose, new_link, parse_token
from functions.auth.mail_queue import MailQueue
from functions.auth.mails.kinds import AddressChangeRequested, PasswordChanged
from functions.auth.rate_limit import Counter, TooManyAttempts, link_counter, password_counter, reset_counters
from functions.auth.session import Session
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from functions.auth.user import (
    Account,
    EmailInUse,
    LinkExpired,
    User,
    UserGone,
    WrongPassword,
    normalise_password,
)
from shared import clock
from shared.ids import UserID, new_id
from shared.unit_of_work import VersionConflict, retry_on_conflict


def request_verification(store: UserStore, mails: MailQueue, user_id: UserID) -> None:
    """Mail a link that proves the user's address, unless it is proved. Raises TooManyAttempts."""
    user = _user(store, user_id)
    if not user.email_verified:
        _count(store, link_counter(user_id, now=clock.now()), "too many links were requested")
        mails.put_link(Purpose.VERIFY, user_id=user_id)


def request_reset(store: UserStore, mails: MailQueue, *, email: str, address: str) -> None:
    """Mail a link that sets a new password, if the address has an account. Raises TooManyAttempts.

    Does not read whether it has one: the steps, and so the time, are the same. After a number of requests for one
    address no mail is sent, which the answer does not reveal.
    """
    now = clock.now()
    by_network, by_email = reset_counters(email=email, address=address, now=now)
    _count(store, by_network, "too many links were requested from this network")
    if store.count(by_email):
        mails.put_link(Purpose.RESET, address=email)


@retry_on_conflict()
def make_link(store: UserStore, user_id: UserID, purpose: Purpose, email: str | None = None) -> tuple[str, str] | None:
    """Make a link for `email`, by default the user's own, and return the address and the token to mail.

    None if there is nothing to mail any more: the user is deleted, or has proved the address.
    """
    now = clock.now()
    user = store.user(user_id)
    if user is None or (purpose is Purpose.VERIFY and user.email_verified):
        return None
    link, token = new_link(user.id, purpose, email or user.email, now=now)
    store.replace(user, user.add_link(link, now=now))
    store.commit()
    return link.email, token


@retry_on_conflict()
def verify_email(store: UserStore, token: str) -> User:
    """Prove an address by a link: the user's own, or another one, which becomes the user's. Returns the user.

    Raises LinkExpired, EmailInUse if another account has the address by now.
    """
    user, purpose, email = _find(store, token, (Purpose.VERIFY, Purpose.CHANGE_EMAIL))
    if purpose is Purpose.VERIFY or email == user.email:
        verified = user.verify_email()
        store.replace(user, verified)
        store.commit()
        return verified
    account = store.account(user.email)
    if account is None or account.id != user.id:  # the address has changed since the user was read
        raise VersionConflict
    changed = user.change_email(email)
    store.replace_email(user, changed, account.password_hash)
    try:
        store.commit()
    except VersionConflict as conflict:
        claimed = conflict.items[1]
        if claimed and claimed["userID"] != user.id:
            raise EmailInUse("this e-mail is in use") from None
        raise
    return changed


def reset_password(
    store: UserStore, tokens: Tokens, mails: MailQueue, *, token: str, password: str, client: str
) -> tuple[Identity, str]:
    """Set a new password by a link, and return the user with the token of a new session, the only one that goes on.

    The link verifies the address too, so the account belongs to the reader of its mails. `password` is normalised.
    Raises LinkExpired, PasswordRefused.
    """
    found, _, _ = _find(store, token, (Purpose.RESET,))
    passwords.check_new_password(password, found.email)
    now = clock.now()
    session = Session(id=new_id(), client=client, created_at=now)
    signed_in = tokens.issue(found.id, session)
    user = _reset(store, token, session, passwords.hash_password(password))
    mails.put_notice(PasswordChanged(at=now), user_id=user.id)
    return Identity.of(user, session.id), signed_in


@retry_on_conflict()
def _reset(store: UserStore, token: str, session: Session, password_hash: str) -> User:
    named = parse_token(token)
    user = store.user(named[0]) if named else None
    if user and user.session(session.id, now=session.created_at):
        return user  # an attempt whose response was lost
    user, _, _ = _find(store, token, (Purpose.RESET,))
    changed = user.reset_password(session)
    store.replace_password(user, changed, password_hash)
    store.commit()
    return changed


def change_password(
    store: UserStore, mails: MailQueue, *, user_id: UserID, session_id: str, current: str, new: str
) -> None:
    """Replace the password `current` (as typed) by `new` (normalised), and end the user's other sessions.

    Raises WrongPassword, PasswordRefused, TooManyAttempts.
    """
    user, account = confirm_password(store, user_id, current)
    passwords.check_new_password(new, user.email)
    _replace_password(store, account, session_id, passwords.hash_password(new))
    mails.put_notice(PasswordChanged(at=clock.now()), user_id=user_id)


@retry_on_conflict()
def _replace_password(store: UserStore, account: Account, session_id: str, password_hash: str) -> None:
    user = _user(store, account.id)
    if user.password_version != account.password_version:
        stored = store.account(user.email)
        if stored and stored.password_hash == password_hash:
            return  # an attempt whose response was lost
        raise WrongPassword
    changed = user.change_password(lambda session: session.id == session_id, now=clock.now())
    store.replace_password(user, changed, password_hash)
    store.commit()


def request_email_change(store: UserStore, mails: MailQueue, *, user_id: UserID, email: str, password: str) -> None:
    """Mail a link to the new address, and a notice to the old one. Raises WrongPassword, TooManyAttempts.

    Whether another account has the new address shows only once the link is used.
    """
    confirm_password(store, user_id, password)
    _count(store, link_counter(user_id, now=clock.now()), "too many links were requested")
    mails.put_link(Purpose.CHANGE_EMAIL, user_id=user_id, address=email)
    mails.put_notice(AddressChangeRequested(at=clock.now()), user_id=user_id)


def confirm_password(store: UserStore, user_id: UserID, password: str) -> tuple[User, Account]:
    """Return the user and the account if this is the user's password. Raises WrongPassword, TooManyAttempts."""
    user = _user(store, user_id)
    counter = password_counter(user_id, now=clock.now())
    _count(store, counter, "too many wrong passwords")
    account = store.account(user.email)
    forms = dict.fromkeys((normalise_password(password), password))
    known = account.password_hash if account and account.id == user_id else None
    if account is None or not any(passwords.is_password(form, known) for form in forms):
        raise WrongPassword
    store.give_back(counter)
    return user, account


def _find(store: UserStore, token: str, purposes: Collection[Purpose]) -> tuple[User, Purpose, str]:
    """Return the user of a link, its purpose and its address. Raises LinkExpired."""
    named = parse_token(token)
    user = store.user(named[0]) if named else None
    if named is None or user is None:
        raise LinkExpired
    link = user.link(named[1], purposes, now=clock.now())
    return user, link.purpose, link.email


def _user(store: UserStore, user_id: UserID) -> User:
    user = store.user(user_id)
    if user is None:  # within the time for which API Gateway keeps the authorizer's answer
        raise UserGone
    return user


def _count(store: UserStore, counter: Counter, reason: str) -> None:
    if not store.count(counter):
        raise TooManyAttempts(counter.retry_after(clock.now()), reason)
