"""Pagination: a limit and an opaque cursor with the last key of a page, so that inserts do not shift later pages."""

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
    """The cursor was not created for this listing."""


@dataclass(frozen=True, slots=True)
class Page[T]:
    """A part of a listing, and the cursor for the next part (None on the last page)."""

    entries: tuple[T, ...]
    next_cursor: str | None


def encode_cursor(listing: str, last_id: str) -> str:
    """Create the cursor that continues `listing` after the entry with this id."""
    return base64.urlsafe_b64encode(_check(listing, last_id.encode()) + last_id.encode()).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str) -> str:
    """Return the id after which to continue. Raises BadCursor unless `encode_cursor` created it for this listing.

    The checksum is not a secret: it detects errors and cursors of other listings. A forged cursor gives access to no
    entry that the listing does not return anyway.
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
    """Return a page of the first `limit` entries. Reads one more entry to detect a next page."""
    some = tuple(islice(entries, limit + 1))
    if len(some) <= limit:
        return Page(some, None)
    return Page(some[:limit], encode_cursor(listing, ident(some[limit - 1])))


def _check(listing: str, last_id: bytes) -> bytes:
    return hashlib.blake2s(last_id, digest_size=_CHECK, person=listing.encode()[:8]).digest()
