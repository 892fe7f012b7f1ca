"""moto's DynamoDB called without network or client, fifty times as fast; it writes the streams itself.

moto is correct about conditions, transactions and indexes as long as calls do not overlap, and here they do not.
"""

import itertools
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from tests.simulation import quick_moto
from tests.simulation.patterns import matches

ACCOUNT, REGION = "123456789012", "us-east-1"

type Image = dict[str, Any]


class ConditionalCheckFailed(ClientError):
    """Stands for botocore's exception of that name."""


class TransactionCanceled(ClientError):
    """Stands for botocore's exception of that name."""


class Database:
    """The tables of the CDK app; for each with a stream, the records that pass its filters, in order."""

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailed, TransactionCanceledException=TransactionCanceled
    )

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._backend = dynamodb_backends[ACCOUNT][REGION]
        self._backend.reset()
        self.tables = tables
        self.published_versions: dict[tuple[str, str], list[int]] = {}
        """The published versions of each aggregate, by table, in the order of their writes."""
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.filters: dict[str, list[dict[str, Any]]] = {}
        self._previous: dict[tuple[str, str], Image | None] = {}
        self._plain_items: dict[str, list[dict[str, Any]]] = {}
        for name, properties in tables.items():
            self._handle(
                "create_table",
                {
                    "TableName": name,
                    "BillingMode": "PAY_PER_REQUEST",
                    **{
                        part: properties[part]
                        for part in ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
                        if part in properties
                    },
                },
            )
            if "StreamSpecification" in properties:
                self.streams[name] = []

    def call(self, operation: str, request: dict[str, Any]) -> Any:
        """One call of the DynamoDB client; a write that changes an item adds a record to its table's stream."""
        written = _written(operation, request)
        before = [self._image(table, key) for table, key in written]
        for table, _ in written:
            self._plain_items.pop(table, None)
        answer = self._handle(operation, request)
        for (table, key), old in zip(written, before, strict=True):
            new = self._image(table, key)
            if new == old:
                continue
            self._previous[table, json.dumps(self._key(table, key))] = old
            if table in self.streams:
                record = _record(old, new)
                if any(matches(pattern, record) for pattern in self.filters[table]):
                    self.streams[table].append(record)
                self._note_version(table, old, new)
        return answer

    def stale(self, request: dict[str, Any]) -> Any:
        """A stale read: the item before its last write."""
        table = request["TableName"]
        old = self._previous.get(
            (table, json.dumps(self._key(table, request["Key"]))), self._image(table, request["Key"])
        )
        return {"Item": old} if old else {}

    def _note_version(self, table: str, old: Image | None, new: Image | None) -> None:
        event, before = ((image or {}).get("event", {}).get("M") for image in (new, old))
        if event and event["id"] != (before or {}).get("id"):
            data = json.loads(event["detail"]["S"])["data"]
            self.published_versions.setdefault((table, data["id"]), []).append(data["version"])

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table as plain values, read-only, for the checks."""
        if table not in self._plain_items:
            self._plain_items[table] = [_plain_item(item) for item in self._backend.tables[table].all_items()]
        return self._plain_items[table]

    def _image(self, table: str, key: Image) -> Image | None:
        item = self._backend.get_item(table, self._key(table, key))
        return dict(item.to_json()["Attributes"]) if item else None

    def _key(self, table: str, item: Image) -> Image:
        return {part["AttributeName"]: item[part["AttributeName"]] for part in self.tables[table]["KeySchema"]}

    def _handle(self, operation: str, request: dict[str, Any]) -> Any:
        """Frequent operations call the engine directly: moto's handler parses every expression once more."""
        try:
            match operation:
                case "get_item":
                    image = self._image(request["TableName"], request["Key"])
                    return {"Item": image} if image else {}
                case "put_item":
                    return self._backend.put_item(request["TableName"], request["Item"], **_conditions(request))
                case "update_item":
                    return self._backend.update_item(
                        request["TableName"], request["Key"], request["UpdateExpression"], **_conditions(request)
                    )
                case "transact_write_items":
                    quick_moto.touched.clear()
                    quick_moto.touched.update(item["pk"]["S"] for _, item in _written(operation, request))
                    return self._backend.transact_write_items(request["TransactItems"])
                case _:
                    handler: Any = DynamoHandler()
                    handler.headers, handler.body = {}, request
                    handler.region, handler.current_account, handler.partition = REGION, ACCOUNT, "aws"
                    return getattr(handler, operation)().result
        except JsonRESTError as error:
            raise _as_botocore(error, operation) from None


def _conditions(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "condition_expression": request.get("ConditionExpression"),
        "expression_attribute_names": request.get("ExpressionAttributeNames", {}),
        "expression_attribute_values": request.get("ExpressionAttributeValues", {}),
        "return_values_on_condition_check_failure": request.get("ReturnValuesOnConditionCheckFailure"),
    }


def _written(operation: str, request: dict[str, Any]) -> list[tuple[str, Image]]:
    """The table and key (or whole item) of each write of a call."""
    match operation:
        case "put_item":
            return [(request["TableName"], request["Item"])]
        case "update_item" | "delete_item":
            return [(request["TableName"], request["Key"])]
        case "transact_write_items":
            writes = [write for entry in request["TransactItems"] for write in entry.values()]
            return [(write["TableName"], write.get("Item") or write["Key"]) for write in writes]
        case _:
            return []


def _record(old: Image | None, new: Image | None) -> dict[str, Any]:
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    images = {"OldImage": old, "NewImage": new}
    record: dict[str, Any] = {key: image for key, image in images.items() if image is not None}
    return {"eventName": name, "dynamodb": record | {"SequenceNumber": str(next(_sequence_numbers))}}


_sequence_numbers = itertools.count(1)


def _as_botocore(error: JsonRESTError, operation: str) -> ClientError:
    body = json.loads(error.description)
    code = error.relative_error_type
    kind = {
        "ConditionalCheckFailedException": ConditionalCheckFailed,
        "TransactionCanceledException": TransactionCanceled,
    }.get(code, ClientError)
    response: Any = {"Error": {"Code": code, "Message": body.get("message") or body.get("Message", "")}, **body}
    return kind(response, operation)


def _plain_item(item: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: Any) -> Any:
    match value.type:
        case "N":
            return int(value.value)
        case "M":
            return {name: _plain(entry) for name, entry in value.value.items()}
        case _:
            return value.value
