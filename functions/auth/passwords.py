"""Password hashing: argon2id with the parameters of OWASP's Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane).

argon2 is imported on first use: most requests of this service need no hash. The same holds for the list of the most
common passwords, which is zxcvbn's (MIT; Copyright 2012-2016 Dan Wheeler and Dropbox, Inc., 2016 Daniel Wolf) without
those that are too short.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from functions.auth.user import PasswordRefused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

# The hash of a random password. Sign-ins with an unknown e-mail are checked against it, so that they take the same time
# as with a known one. Its parameters must be those above.
DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$VKI/cgBdXGVZR30iNmJ+wQ$gzGcpvV+dDcWQLKVBPhtVPqG4INJpmC6z6U1RtkUDwk"


@cache
def hasher() -> "PasswordHasher":
    """Return the hasher of the process."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def check_new_password(password: str, email: str) -> None:
    """Check a new password against the list of common ones and the user's address. Raises PasswordRefused."""
    entered = password.casefold()
    if entered in _common_passwords():
        raise PasswordRefused("this password is one of the most common ones: choose one that nobody else would")
    if entered.strip() in (email, email.partition("@")[0]):
        raise PasswordRefused("the password must not be the e-mail address")


@cache
def _common_passwords() -> frozenset[str]:
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.split("\n"))


def hash_password(password: str) -> str:
    """Return the encoded hash, which includes salt and parameters."""
    return hasher().hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the password matches the hash. With None the result is False, after the same time."""
    from argon2.exceptions import VerifyMismatchError

    try:
        hasher().verify(password_hash or DUMMY_HASH, password)
    except VerifyMismatchError:
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether a hash has other parameters than those above."""
    return not password_hash.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")
