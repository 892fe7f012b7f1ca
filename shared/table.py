"""A service's DynamoDB table: plain Python values in and out, and every write conditional.

    WriteError
    ├── Refused      a condition did not hold; carries the items as they were
    └── Busy         throttled, or in conflict with other transactions, beyond patience

In expressions `#name` stands for the attribute `name` (many of ours are reserved words); values are given by keyword
and stand as `:keyword`.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from shared import aws, clock

type Item = dict[str, Any]
type Key = Mapping[str, str]

ATTEMPTS = 6
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
    """A write did not happen."""


class Refused(WriteError):
    """A condition did not hold, so nothing was written.

    `items` has, for each write in the order given, the item that refused it: None where that write was not refused, an
    empty item where none exists.
    """

    def __init__(self, items: Sequence[Item | None]) -> None:
        super().__init__("a condition of the write did not hold")
        self.items = tuple(items)


class Busy(WriteError):
    """Throttled or in conflict, after every retry; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write the whole item."""

    item: Item
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change some attributes of one item.

    `refusal` is raised in place of Refused where only this is refused; `made` is called when the write is known to be
    made.
    """

    key: Key
    change: str
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    refusal: Exception | None = None
    made: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove one item."""

    key: Key
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)


type Write = Put | Update | Delete


@dataclass(frozen=True, slots=True)
class Table:
    """One table, by name; its key is `pk`, or `pk` and `sk`."""

    name: str
    has_sort_key: bool = False

    def get(self, key: Key, *, consistent: bool = False) -> Item | None:
        """The item, or None. An eventually consistent read costs half and may be some moments old."""
        found = aws.dynamodb().get_item(TableName=self.name, Key=_to_dynamodb(key), ConsistentRead=consistent)
        return _from_dynamodb(found["Item"]) if "Item" in found else None

    def query(
        self,
        condition: str,
        *,
        index: str | None = None,
        where: str | None = None,
        newest_first: bool = False,
        page_size: int | None = None,
        **values: object,
    ) -> Iterator[Item]:
        """The items under a key condition that also meet `where`, in the order of their sort key.

        Pages are fetched as the iterator is consumed, `page_size` items looked at in each.
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
        if page_size:
            request["Limit"] = page_size
        while True:
            page = aws.dynamodb().query(**request)
            yield from map(_from_dynamodb, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write | None) -> None:
        """Make all the writes or none; a None among them is skipped. One alone is not a transaction and costs half.

        Raises Refused or Busy. A write that carries an `event` is recognised if an earlier try of this very call had
        landed unseen, and then counts as made.
        """
        wanted = [write for write in writes if write is not None]
        for attempt in range(ATTEMPTS):
            if attempt:
                clock.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  # jitter, not a secret
            try:
                if len(wanted) == 1:
                    _write_one(self.name, wanted[0])
                else:
                    _write_all(self.name, wanted)
            except Refused as refused:
                if not any(map(_is_already_there, wanted, refused.items)):
                    raise _named(wanted, refused) from None
            except Busy:
                continue
            for write in wanted:
                if isinstance(write, Update) and write.made:
                    write.made()
            return
        raise Busy("the table is busy; try again")


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
        raise Refused([_from_dynamodb(item)]) from None
    except ClientError as error:
        raise _busy_or(error) from error


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
            raise Refused(
                [
                    _from_dynamodb(reason.get("Item", {})) if reason.get("Code") == "ConditionalCheckFailed" else None
                    for reason in reasons
                ]
            ) from None
        if codes & (CONFLICTS | THROTTLES | {"ProvisionedThroughputExceeded"}):
            raise Busy("the transaction met others") from error
        raise
    except ClientError as error:
        raise _busy_or(error) from error


def is_passing(error: ClientError) -> bool:
    """Whether AWS refused for now only: throttled, or broken on its own side."""
    broken = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return broken or error.response["Error"]["Code"] in THROTTLES


def _busy_or(error: ClientError) -> Exception:
    return Busy("the table is busy") if error.response["Error"]["Code"] in THROTTLES | CONFLICTS else error


def _named(writes: Sequence[Write], refused: Refused) -> Exception:
    """The refusal that a write names, where that write alone was refused."""
    match [write for write, item in zip(writes, refused.items, strict=True) if item is not None]:
        case [Update(refusal=Exception() as named)]:
            return named
        case _:
            return refused


def _is_already_there(write: Write, found: Item | None) -> bool:
    """Whether the item that refused the write carries the very event that the write was to tell."""
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
    """The item in DynamoDB's own form, without what is None: no attribute of ours is ever null."""
    return {name: _to_value(value) for name, value in item.items() if value is not None}


def _from_dynamodb(item: Mapping[str, Any]) -> Item:
    return {name: _from_value(value) for name, value in item.items()}


# The types that our items have; boto3's own conversion has them all and costs a cold start a sixth.


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
            raise TypeError(f"no attribute of ours is a {type(value).__name__}")


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
            raise TypeError(f"no attribute of ours is a {', '.join(value)}")
