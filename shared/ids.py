"""Identifiers: ULIDs, which sort by the time they were made.

Each aggregate has a type of its own, so that a ticket's id cannot be passed where an order's is meant.
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

# Crockford's base 32 in upper case; the first character holds the top three bits of 128.
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


def new_id() -> str:
    """A new ULID of the current instant."""
    return str(ULID.from_timestamp(clock.to_millis(clock.now())))


def is_id(text: str) -> bool:
    """Whether the text has the form of an id that we make."""
    return _ULID.fullmatch(text) is not None


def born(ident: str) -> int:
    """When the id was made, in milliseconds since 1970. Callers send ids that claim years which no calendar has."""
    return ULID.from_str(ident).milliseconds


def partition(ident: str, count: int) -> str:
    """One of `count` index partitions, "0" first, to which ids spread evenly."""
    return str(zlib.crc32(ident.encode()) % count)
