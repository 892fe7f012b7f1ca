"""The tables of the CDK app in moto, read without its API: a scan through the API takes thirty times as long."""

import copy
from collections.abc import Mapping
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

ACCOUNT = "123456789012"

type Contents = dict[str, Any]
"""The content of each table, in moto's own form."""


class MotoTables:
    """The tables, each named for its service. Created once: a boto3 session alone takes 90 ms.

    `definitions` are their keys and indexes, as `create_table` takes them.
    """

    def __init__(self, template: dict[str, Any]) -> None:
        # imported here: the import takes half a second, which users of the type alone need not pay
        from moto.dynamodb.models import dynamodb_backends

        self.resource = boto3.resource("dynamodb")
        self.definitions = definitions(template)
        self._client = boto3.client("dynamodb")
        self._backend = dynamodb_backends[ACCOUNT][self._client.meta.region_name]
        for name, definition in self.definitions.items():
            if name not in self._backend.tables:  # already created for another layer of tests
                self.resource.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)

    def __contains__(self, service: object) -> bool:
        return service in self.definitions

    def items(self, service: str) -> list[dict[str, Any]]:
        """Return all items of a service's table."""
        read = TypeDeserializer().deserialize
        found = [item.to_json()["Attributes"] for item in self._backend.tables[service].all_items()]
        return [{name: read(value) for name, value in item.items()} for item in found]

    def item(self, service: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return one item in DynamoDB's attribute values, or None."""
        found = self._client.get_item(TableName=service, Key=key, ConsistentRead=True)
        return dict(found["Item"]) if "Item" in found else None

    def empty(self) -> None:
        """Delete every item."""
        for table in self._backend.tables.values():
            table.items.clear()

    def save(self) -> Contents:
        """Return the content of all tables, for `restore`."""
        return {name: copy.deepcopy(table.items) for name, table in self._backend.tables.items()}

    def restore(self, saved: Contents) -> None:
        """Replace the content of all tables by a saved one."""
        for name, items in saved.items():
            self._backend.tables[name].items = copy.deepcopy(items)


def definitions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables of the CDK app's template, by service."""
    tables = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] not in ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"):
            continue
        service = next(
            name
            for name, prefix in {
                "auth": "Auth",
                "tickets": "Tickets",
                "orders": "Orders",
                "payments": "Payments",
            }.items()
            if logical_id.startswith(prefix)
        )
        properties = resource["Properties"]
        tables[service] = {
            name: properties[name]
            for name in ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
            if name in properties
        }
    return tables
