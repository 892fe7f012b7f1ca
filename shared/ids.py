"""Identifiers: ULIDs, which sort by creation time.

Each aggregate has its own type, so that mypy rejects a ticket's id in place of an order's.
"""

import re
import zlib
from typing import NewType

from ulid import ULID

from shared import clock

UserID = NewType("UserID", str)
TicketID = NewType("TicketID", str)
OrderID = NewType("OrderID", str)
PaymentID = NewType("PaymentID", str)

# Crockford's base 32 in upper case. The first character encodes the top three of 128 bits.
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


def new_id() -> str:
    """Create a ULID with the current time."""
    return str(ULID.from_timestamp(clock.to_millis(clock.now())))


def first_id_at(millis: int) -> str:
    """Return the lowest id with this creation time, in milliseconds since 1970: a bound for ids that sort after it."""
    return str(ULID.from_bytes(millis.to_bytes(6, "big") + bytes(10)))


def is_id(text: str) -> bool:
    """Return whether the text has the form of an id that `new_id` creates."""
    return _ULID.fullmatch(text) is not None


def created_at_millis(ident: str) -> int:
    """Return the creation time of an id in milliseconds since 1970.

    Not a datetime, since ids from callers can contain a year that datetime cannot represent.
    """
    return ULID.from_str(ident).milliseconds


def partition(ident: str, count: int) -> str:
    """Return the index partition of an id, from "0" to `count` - 1. Ids are distributed evenly."""
    return str(zlib.crc32(ident.encode()) % count)
