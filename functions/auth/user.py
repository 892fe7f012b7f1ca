"""A user's account: the e-mail address, the password, and the user id that all services share.

AuthError
├── EmailInUse         an account with this address exists
├── BadCredentials     unknown address or wrong password; the error does not reveal which
├── UserGone           the user was deleted, and their token is still accepted for moments
├── WrongPassword      a signed-in user confirmed a change with another password
├── PasswordRefused    too easily guessed for a new password
├── OrderOpen, TicketHeld     something of the user is open, so the account cannot be deleted
└── LinkExpired        the link of a mail was used, has expired or never existed
"""

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from functions.auth.link import Link, Purpose, keep
from functions.auth.session import MAX_SESSIONS, Session

if TYPE_CHECKING:
    from shared.ids import UserID

MAX_EMAIL_LENGTH = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 128

_MAX_COMPOSED = 4  # code points that NFC may compose into one: the longest canonical decomposition


class AuthError(Exception):
    """Base class: an account stays as it is."""


class EmailInUse(AuthError):
    """An account with this address exists."""


class BadCredentials(AuthError):
    """Unknown address or wrong password. The message is the same for both, to prevent account enumeration."""

    def __init__(self) -> None:
        super().__init__("e-mail or password is wrong")


class UserGone(AuthError):
    """The user was deleted."""

    def __init__(self) -> None:
        super().__init__("sign in to do this")


class WrongPassword(AuthError):
    """The password that confirms a change is wrong."""

    def __init__(self) -> None:
        super().__init__("the password is wrong")


class PasswordRefused(AuthError):
    """The new password is too easily guessed; the message says why."""


class OrderOpen(AuthError):
    """An order of the user is neither completed nor cancelled."""

    def __init__(self) -> None:
        super().__init__("one of your orders is open: pay for it, cancel it, or try again once it has expired")


class TicketHeld(AuthError):
    """An order holds a ticket of the user."""

    def __init__(self) -> None:
        super().__init__("an order holds one of your tickets; try again once it is sold or free")


class LinkExpired(AuthError):
    """The link was used, has expired, or never existed."""

    def __init__(self) -> None:
        super().__init__("this link was used or has expired; ask for a new one")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user with their sessions, the oldest first, and the links that were mailed to them.

    `password_version` counts the passwords, and `revision` the writes. `closing_at` is when the user has deleted the
    account; it is erased as soon as nothing of theirs is open.
    """

    id: "UserID"
    email: str
    created_at: datetime
    email_verified: bool = False
    sessions: tuple[Session, ...] = ()
    suppressed_email: str | None = None
    """The address that has bounced or complained. A later address of the user is another one."""
    links: tuple[Link, ...] = ()
    password_version: int = 0
    revision: int = 0
    closing_at: datetime | None = None

    @property
    def is_email_suppressed(self) -> bool:
        """Whether the user's address gets no more mails."""
        return self.suppressed_email == self.email

    def session(self, session_id: str, *, now: datetime) -> Session | None:
        """Return the session with this id; None if it has ended."""
        return next((each for each in self.open_sessions(now) if each.id == session_id), None)

    def open_sessions(self, now: datetime) -> tuple[Session, ...]:
        """Return the sessions that have not ended, the oldest first."""
        return tuple(each for each in self.sessions if now < each.expires_at)

    def begin_session(self, session: Session) -> Self:
        """Add a session. Sessions that have ended are removed, and the oldest one if there are too many."""
        others = tuple(each for each in self.open_sessions(session.created_at) if each.id != session.id)
        return self._changed(sessions=(*others, session)[-MAX_SESSIONS:])

    def end_sessions(self, ends: Callable[[Session], bool], *, now: datetime) -> Self:
        """Remove the sessions for which `ends` holds, and those that have ended."""
        return self._changed(sessions=tuple(each for each in self.open_sessions(now) if not ends(each)))

    def close(self, *, now: datetime) -> Self:
        """The user has deleted the account. All sessions and links end."""
        return self._changed(sessions=(), links=(), closing_at=now)

    def suppress_email(self) -> Self:
        """The address has bounced or complained."""
        return self._changed(suppressed_email=self.email)

    def add_link(self, link: Link, *, now: datetime) -> Self:
        """Add a link. Those that have expired are removed, and the oldest of its purpose if there are too many."""
        return self._changed(links=keep((*self.links, link), now=now))

    def link(self, secret: str, purposes: Collection[Purpose], *, now: datetime) -> Link:
        """Return the link with this secret, if it has one of these purposes. Raises LinkExpired.

        A link that was sent to an earlier address of the user does not work, unless it is to change the address.
        """
        for each in self.links:
            is_bound = each.purpose is Purpose.CHANGE_EMAIL or each.email == self.email
            if each.has(secret) and each.purpose in purposes and is_bound and now < each.expires_at:
                return each
        raise LinkExpired

    def verify_email(self) -> Self:
        """The address is proved. The links to verify it end."""
        others = tuple(each for each in self.links if each.purpose is not Purpose.VERIFY)
        return self._changed(email_verified=True, links=others)

    def change_email(self, email: str) -> Self:
        """Replace the address by one that is proved. All links end: they were sent to the old address."""
        return self._changed(email=email, email_verified=True, links=())

    def change_password(self, keeps: Callable[[Session], bool], *, now: datetime) -> Self:
        """Count a new password. All links end, and the sessions for which `keeps` does not hold.

        A link may have been asked for by somebody who knew the old password.
        """
        kept = tuple(each for each in self.open_sessions(now) if keeps(each))
        return self._changed(sessions=kept, links=(), password_version=self.password_version + 1)

    def reset_password(self, session: Session) -> Self:
        """Count a new password, set by a link, which proves the address. `session` is the only one that goes on."""
        changed = self.change_password(lambda _: False, now=session.created_at)
        return replace(changed, email_verified=True, sessions=(session,))

    def _changed(self, **fields: Any) -> Self:
        return replace(self, revision=self.revision + 1, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The credentials of a user. `email` is in the form that `parse_email` returns.

    `password_version` is the user's when the hash was stored.
    """

    id: "UserID"
    email: str
    password_hash: str = field(repr=False)
    password_version: int = 0


def parse_email(text: str) -> str:
    """Validate an address and return its canonical form: trimmed, lower case, NFC. Raises ValueError.

    The domain must be routable (not `localhost`, not `.test`); deliverability is not checked.
    """
    from email_validator import EmailNotValidError, validate_email

    if any(unicodedata.category(character) == "Cc" or character == "\ufffd" for character in text):
        raise ValueError("must not contain control or replacement characters")
    trimmed = text.strip()
    if len(trimmed) > MAX_EMAIL_LENGTH:
        raise ValueError(f"must have at most {MAX_EMAIL_LENGTH} characters")
    try:
        valid = validate_email(trimmed, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return unicodedata.normalize("NFC", valid.normalized.lower())


def parse_new_email(text: str) -> str:
    """Validate the address of a new account, as `parse_email` does. It must also be one to which mails can be sent.

    SES sends to no address with characters outside ASCII before the `@`. Raises ValueError.
    """
    email = parse_email(text)
    if not email.rpartition("@")[0].isascii():
        raise ValueError("must have only ASCII characters before the @: we cannot send mails to other addresses")
    return email


def normalise_password(text: str) -> str:
    """Return the form in which a password is hashed: the OpaqueString profile of RFC 8265, section 4.2.

    Keyboards encode `é` and spaces differently, so every space becomes U+0020 and the text becomes NFC. Case is kept.
    """
    if len(text) > MAX_PASSWORD_LENGTH * _MAX_COMPOSED:  # too long in any form; normalising it would be slow
        return text
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return unicodedata.normalize("NFC", spaced)


def parse_new_password(text: str) -> str:
    """Validate a new password and return it normalised. The length is counted in Unicode code points.

    Raises ValueError if it is too short or too long, or contains a control character, which a form could not enter
    again.
    """
    password = normalise_password(text)
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValueError(f"must have {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters")
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise ValueError("must not contain control characters")
    return password


def parse_known_password(text: str) -> str:
    """Return the password as typed. Raises ValueError if it is empty or too long to be the password of any account.

    Older passwords were counted and hashed as typed, so either form may be within the limit.
    """
    if not text or min(len(text), len(normalise_password(text))) > MAX_PASSWORD_LENGTH:
        raise ValueError(f"must have 1 to {MAX_PASSWORD_LENGTH} characters")
    return text
