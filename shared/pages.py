"""Paging: a limit and an opaque cursor that says after which key to go on, so that a page holds under inserts."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from shared.ids import is_id

DEFAULT_LIMIT = 20
HIGHEST_LIMIT = 100

_CHECK = 4


class BadCursor(ValueError):
    """The cursor was not made by us for this list."""


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some of a list, and the cursor for what follows (None at the end)."""

    entries: tuple[T, ...]
    next_cursor: str | None


def encode_cursor(listing: str, last_id: str) -> str:
    """The cursor that continues `listing` after the entry with this id."""
    return base64.urlsafe_b64encode(_check(listing, last_id.encode()) + last_id.encode()).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str) -> str:
    """The id after which to go on; raises BadCursor for anything that `encode_cursor` did not make for this listing.

    The checksum is no secret: it finds accidents and other lists' cursors, and a forged cursor shows its maker nothing
    that the list does not show anyway.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        last_id = raw[_CHECK:].decode("ascii")
    except (binascii.Error, ValueError):
        raise BadCursor("is not a cursor of this list") from None
    if not is_id(last_id) or encode_cursor(listing, last_id) != cursor:
        raise BadCursor("is not a cursor of this list")
    return last_id


def page_of[T](entries: Iterable[T], *, listing: str, limit: int, ident: Callable[[T], str]) -> Page[T]:
    """The first `limit` of the entries; one more is looked at to know whether any follow."""
    some = tuple(islice(entries, limit + 1))
    if len(some) <= limit:
        return Page(some, None)
    return Page(some[:limit], encode_cursor(listing, ident(some[limit - 1])))


def _check(listing: str, last_id: bytes) -> bytes:
    return hashlib.blake2s(last_id, digest_size=_CHECK, person=listing.encode()[:8]).digest()
