"""A service's DynamoDB table: reads and conditional writes with plain Python values.

    WriteError
    ├── ConditionFailed    a condition did not hold; carries the current items
    └── Contention         throttled, or in conflict with other transactions, in every attempt

In expressions, `#name` stands for the attribute `name` (many are reserved words of DynamoDB) and `:keyword` for the
value that is passed under this keyword.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from shared import aws, clock

type Item = dict[str, Any]
type Key = Mapping[str, str]

ATTEMPTS = 6
BATCH = 100  # the most that DynamoDB reads in one call
THROTTLES = frozenset(
    {
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingError",
    }
)
CONFLICTS = frozenset({"TransactionConflictException", "TransactionConflict", "TransactionInProgressException"})


class WriteError(Exception):
    """Base of the errors of a write; nothing was written."""


class ConditionFailed(WriteError):
    """A condition did not hold, so nothing was written.

    `items` has one entry per write, in the given order: the current item if the condition of this write failed (empty
    if no item exists), else None.
    """

    def __init__(self, items: Sequence[Item | None]) -> None:
        super().__init__("a condition of the write did not hold")
        self.items = tuple(items)


class Contention(WriteError):
    """Throttled or in conflict with other transactions in every attempt; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Replace the whole item."""

    item: Item
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change some attributes of one item."""

    key: Key
    change: str
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete one item."""

    key: Key
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)


type Write = Put | Update | Delete


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Its key is `pk`, or `pk` and `sk` if it has a sort key."""

    name: str
    has_sort_key: bool = False

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        """Return the item, or None. An eventually consistent read costs half and can be stale by moments."""
        found = aws.dynamodb().get_item(TableName=self.name, Key=_to_dynamodb(key), ConsistentRead=consistent)
        return _from_dynamodb(found["Item"]) if "Item" in found else None

    def get_all(self, keys: Iterable[Key]) -> Iterator[Item]:
        """Iterate over the items with these keys, in their order, without those that do not exist.

        Eventually consistent; BATCH items in a call. Raises Contention.
        """
        for batch in batched(keys, BATCH, strict=False):
            found = {item["pk"]: item for item in self._get_batch(batch)}
            yield from (found[key["pk"]] for key in batch if key["pk"] in found)

    def _get_batch(self, keys: Sequence[Key]) -> Iterator[Item]:
        """Read a batch of items, in any order. DynamoDB may leave some out, which are read again."""
        request: Any = {self.name: {"Keys": [_to_dynamodb(key) for key in keys]}}
        for attempt in range(ATTEMPTS):
            if attempt:
                _pause(attempt)
            answer = aws.dynamodb().batch_get_item(RequestItems=request)
            yield from map(_from_dynamodb, answer["Responses"].get(self.name, ()))
            request = answer["UnprocessedKeys"]
            if not request:
                return
        raise Contention("the table is busy; try again")

    def query(
        self,
        condition: str,
        *,
        index: str | None = None,
        where: str | None = None,
        newest_first: bool = False,
        page_size: int | None = None,
        consistent: bool = False,
        **values: object,
    ) -> Iterator[Item]:
        """Iterate over the items that match a key condition and the filter `where`, in the order of their sort key.

        Fetches pages as the iterator is consumed. DynamoDB evaluates `page_size` items per page, before the filter. An
        eventually consistent read costs half and can be stale by moments; indexes support no other.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ScanIndexForward": not newest_first,
            **_expression_values(values),
            **_expression_names(condition, where),
        }
        if index:
            request["IndexName"] = index
        if where:
            request["FilterExpression"] = where
        if consistent:
            request["ConsistentRead"] = True
        if page_size:
            request["Limit"] = page_size
        while True:
            page = aws.dynamodb().query(**request)
            yield from map(_from_dynamodb, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        """Perform all writes or none. A single write is not a transaction and costs half.

        Retries up to ATTEMPTS times under contention. Raises ConditionFailed or Contention. If an earlier attempt of
        this call succeeded but its response was lost, the `event` it wrote identifies it, and the call succeeds.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                _pause(attempt)
            try:
                if len(writes) == 1:
                    _write_one(self.name, writes[0])
                else:
                    _write_all(self.name, writes)
            except ConditionFailed as failed:
                if not any(map(_is_already_there, writes, failed.items)):
                    raise
            except Contention:
                continue
            return
        raise Contention("the table is busy; try again")


def _pause(attempt: int) -> None:
    clock.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  # jitter, not a secret


def _write_one(table: str, write: Write) -> None:
    request: dict[str, Any] = _request(table, write)
    client = aws.dynamodb()
    try:
        match write:
            case Put():
                client.put_item(**request)
            case Update():
                client.update_item(**request)
            case Delete():
                client.delete_item(**request)
    except client.exceptions.ConditionalCheckFailedException as error:
        item: Any = error.response.get("Item", {})
        raise ConditionFailed([_from_dynamodb(item)]) from None
    except ClientError as error:
        raise _contention_or_error(error) from error


def _write_all(table: str, writes: Sequence[Write]) -> None:
    client = aws.dynamodb()
    try:
        client.transact_write_items(
            TransactItems=[{type(write).__name__: _request(table, write)} for write in writes]  # type: ignore[misc]
        )
    except client.exceptions.TransactionCanceledException as error:
        reasons: Any = error.response.get("CancellationReasons", [])
        codes = {reason.get("Code") for reason in reasons}
        if "ConditionalCheckFailed" in codes:
            raise ConditionFailed(
                [
                    _from_dynamodb(reason.get("Item", {})) if reason.get("Code") == "ConditionalCheckFailed" else None
                    for reason in reasons
                ]
            ) from None
        if codes & (CONFLICTS | THROTTLES | {"ProvisionedThroughputExceeded"}):
            raise Contention("the transaction conflicts with others") from error
        raise
    except ClientError as error:
        raise _contention_or_error(error) from error


def is_transient(error: ClientError) -> bool:
    """Return whether the error is transient: throttling or a 5xx of AWS."""
    broken = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return broken or error.response["Error"]["Code"] in THROTTLES


def _contention_or_error(error: ClientError) -> Exception:
    return Contention("the table is busy") if error.response["Error"]["Code"] in THROTTLES | CONFLICTS else error


def _is_already_there(write: Write, found: Item | None) -> bool:
    """Return whether the item already has the event of this write, so that an earlier attempt has succeeded."""
    event = write.item.get("event") if isinstance(write, Put) else write.values.get("event")
    return bool(event and found and found.get("event", {}).get("id") == event["id"])  # type: ignore[index]


def _request(table: str, write: Write) -> dict[str, Any]:
    request: dict[str, Any] = {"TableName": table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    change = None
    if isinstance(write, Put):
        request["Item"] = _to_dynamodb(write.item)
    else:
        request["Key"] = _to_dynamodb(write.key)
    if isinstance(write, Update):
        request["UpdateExpression"] = change = write.change
    if write.condition:
        request["ConditionExpression"] = write.condition
    return request | _expression_values(write.values) | _expression_names(change, write.condition)


def _expression_names(*expressions: str | None) -> dict[str, dict[str, str]]:
    names = {name for text in expressions if text for name in re.findall(r"#(\w+)", text)}
    return {"ExpressionAttributeNames": {f"#{name}": name for name in names}} if names else {}


def _expression_values(values: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    if not values:
        return {}
    return {"ExpressionAttributeValues": {f":{name}": value for name, value in _to_dynamodb(values).items()}}


def _to_dynamodb(item: Mapping[str, object]) -> dict[str, Any]:
    """Convert an item to DynamoDB's format. Omits None: attributes are never null."""
    return {name: _to_value(value) for name, value in item.items() if value is not None}


def _from_dynamodb(item: Mapping[str, Any]) -> Item:
    return {name: _from_value(value) for name, value in item.items()}


# Converts only the attribute types in use: boto3's conversion of all types takes a sixth of a cold start.


def _to_value(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": str(value)}
        case Mapping():
            return {"M": _to_dynamodb(value)}
        case _:
            raise TypeError(f"unsupported attribute type {type(value).__name__}")


def _from_value(value: Mapping[str, Any]) -> Any:
    match value:
        case {"S": str(text)}:
            return text
        case {"N": str(number)}:
            return int(number)
        case {"BOOL": bool(truth)}:
            return truth
        case {"M": dict(inner)}:
            return _from_dynamodb(inner)
        case _:
            raise TypeError(f"unsupported attribute type {', '.join(value)}")
