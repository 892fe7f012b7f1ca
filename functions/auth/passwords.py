"""Passwords, as argon2id hashes with the parameters of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane.

argon2 is imported on first use: most calls of this service need no hash.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

# The hash of a password that nobody knows. An unknown e-mail is checked against it, to take the same time as a known
# one; so its parameters must be those above.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$VKI/cgBdXGVZR30iNmJ+wQ$gzGcpvV+dDcWQLKVBPhtVPqG4INJpmC6z6U1RtkUDwk"


@cache
def hasher() -> "PasswordHasher":
    """The process's hasher."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hash_password(password: str) -> str:
    """The hash to keep, with its salt and parameters."""
    return hasher().hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether this is the password. Without a hash it never is, and finding that out takes as long."""
    from argon2.exceptions import VerifyMismatchError

    try:
        hasher().verify(password_hash or NOBODYS_HASH, password)
    except VerifyMismatchError:
        return False
    return password_hash is not None
