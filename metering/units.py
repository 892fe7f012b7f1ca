"""DynamoDB's request units of reads and writes, as pure rules.

Sources, all in the Amazon DynamoDB Developer Guide: "DynamoDB item sizes and formats", "DynamoDB read and write
operations" (capacity unit consumption, failed conditional writes), "Amazon DynamoDB Transactions: How it works", and
"Using Global Secondary Indexes in DynamoDB" (read and write considerations).

Items are in attribute-value form, as in `{"price": {"S": "12.50"}}`. Sizes are bytes.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

type Value = Mapping[str, Any]
type Item = Mapping[str, Value]

READ_UNIT = 4096
WRITE_UNIT = 1024
CONTAINER = 3  # overhead of a list or map
ELEMENT = 1  # overhead of each element


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: its name, its key attributes, and its projected attributes (None: all)."""

    name: str
    keys: tuple[str, ...]
    held: frozenset[str] | None

    @classmethod
    def of(cls, index: Mapping[str, Any], table_keys: Sequence[str]) -> Self:
        """The index from a table's definition."""
        keys = tuple(key["AttributeName"] for key in index["KeySchema"])
        projection = index["Projection"]
        held = frozenset((*keys, *table_keys, *projection.get("NonKeyAttributes", ())))
        return cls(index["IndexName"], keys, None if projection["ProjectionType"] == "ALL" else held)

    def entry(self, item: Item | None) -> Item | None:
        """The index entry of an item; None for an item without one of the index's keys."""
        if item is None or not all(key in item for key in self.keys):
            return None
        return {name: value for name, value in item.items() if self.held is None or name in self.held}


def size(item: Item) -> int:
    """An item's size: the names and values of its attributes."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def read_units(bytes_read: int, *, consistent: bool) -> float:
    """Units of one item, or of all items of a query: one per 4 KB begun, half if eventually consistent.

    A read that finds nothing costs as much as the smallest item.
    """
    return _begun(bytes_read, READ_UNIT) * (1.0 if consistent else 0.5)


def query_units(items: Iterable[Item], *, consistent: bool) -> float:
    """Units of one page of a query: the sizes of the items read are added before rounding."""
    return read_units(sum(map(size, items)), consistent=consistent)


def write_units(before: Item | None, after: Item | None, *, transactional: bool = False) -> int:
    """Units of the table itself: one per 1 KB begun of the larger image, twice that in a transaction.

    A write whose condition fails costs the same; `after` is then the item that it would have written.
    """
    larger = max(size(image) if image else 0 for image in (before, after))
    return _begun(larger, WRITE_UNIT) * (2 if transactional else 1)


def index_write_units(index: Index, before: Item | None, after: Item | None) -> int:
    """Units of one index of the table. Index updates are asynchronous, so a transaction does not raise their price.

    An entry that is added, removed or changed is one write; an entry whose key changes is deleted and inserted.
    """
    old, new = index.entry(before), index.entry(after)
    if old == new:
        return 0
    if old and new and any(old[key] != new[key] for key in index.keys):
        return write_units(old, None) + write_units(None, new)
    return write_units(old, new)


def _begun(amount: int, unit: int) -> int:
    return max(1, -(-amount // unit))


def _size_of_value(value: Value) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _size_of_number(content)
        case "B":
            return len(content if isinstance(content, bytes) else base64.b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "SS" | "NS" | "BS":
            return sum(_size_of_value({kind[0]: element}) for element in content)
        case "L":
            return CONTAINER + sum(ELEMENT + _size_of_value(element) for element in content)
        case "M":
            return CONTAINER + sum(ELEMENT + size({name: element}) for name, element in content.items())
        case _:
            raise ValueError(f"DynamoDB has no type {kind}")


def _size_of_number(text: str) -> int:
    """Approximately one byte per two significant digits, plus one; another for a minus sign (as in the guide)."""
    sign, digits, _ = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    return -(-len(significant) // 2) + 1 + sign
