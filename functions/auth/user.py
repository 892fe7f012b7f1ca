"""Who somebody is to us: an e-mail address, a password, and the id that all other services know them by.

AuthError
├── EmailInUse         somebody has signed up with this address
└── BadCredentials     no such address, or not its password; nobody is told which
"""

import unicodedata
from dataclasses import dataclass, field

from shared.ids import UserID

LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128

_MOST_COMPOSED = 4  # code points that NFC can make one of: the longest canonical decomposition that there is


class AuthError(Exception):
    """Signing up or in is not possible like this."""


class EmailInUse(AuthError):
    """Somebody has signed up with this address."""


class BadCredentials(AuthError):
    """The words are the same for an unknown address and a wrong password, so that nobody can ask who has an account."""

    def __init__(self) -> None:
        super().__init__("e-mail or password is wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a user signs in with. `email` is in the form of `parse_email`."""

    id: UserID
    email: str
    password_hash: str = field(repr=False)


def parse_email(text: str) -> str:
    """The one form in which an address is kept and compared: trimmed, in lower case, NFC. Raises ValueError.

    An address must be one that mail can reach (so no `localhost`, no `.test`), but nobody is asked whether it does.
    """
    from email_validator import EmailNotValidError, validate_email

    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("must not contain control characters")
    trimmed = text.strip()
    if len(trimmed) > LONGEST_EMAIL:
        raise ValueError(f"must have at most {LONGEST_EMAIL} characters")
    try:
        valid = validate_email(trimmed, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return unicodedata.normalize("NFC", valid.normalized.lower())


def normalise_password(text: str) -> str:
    """The one form in which a password is hashed: that of RFC 8265, OpaqueString (section 4.2), so case stays.

    Keyboards differ in how they write an `é` or a space: every space becomes U+0020, and the text NFC.
    """
    if len(text) > LONGEST_PASSWORD * _MOST_COMPOSED:  # too long in any form, and long texts are slow to normalise
        return text
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return unicodedata.normalize("NFC", spaced)


def parse_new_password(text: str) -> str:
    """The normalised password, counted in Unicode code points. Raises ValueError where it is too short or too long, or
    has a control character, which a form cannot enter again.
    """
    password = normalise_password(text)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise ValueError("must not contain control characters")
    return password


def parse_known_password(text: str) -> str:
    """The password as it was typed. Raises ValueError for one that nobody can have.

    Passwords were once counted and hashed as they were typed, so either form may be the one that fits.
    """
    if not text or min(len(text), len(normalise_password(text))) > LONGEST_PASSWORD:
        raise ValueError(f"must have 1 to {LONGEST_PASSWORD} characters")
    return text
