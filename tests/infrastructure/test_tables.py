"""The four tables, and the relays of three of them."""

import json
from typing import Any

import pytest

from tests.infrastructure.template import Template

LISTED = [
    *("createdAt", "currency", "holdExpiresAt", "holdOrderID", "price"),
    *("soldAt", "title", "userID", "version", "withdrawnAt"),
]

KEYS = {
    "Auth/Users/Table": ["pk:S"],
    "Tickets/Tickets/Table": ["pk:S"],
    "Orders/Orders/Table": ["pk:S", "sk:S"],
    "Payments/Payments/Table": ["pk:S"],
}
INDEXES: dict[str, dict[str, tuple[list[str], list[str] | str]]] = {
    "Auth/Users/Table": {"closing": (["closingPartition:S", "closingAt:N"], "KEYS_ONLY")},
    "Tickets/Tickets/Table": {
        "on-sale": (["onSalePartition:S", "id:S"], LISTED),
        "by-seller": (["userID:S", "id:S"], "KEYS_ONLY"),
    },
    "Orders/Orders/Table": {
        "open": (["openPartition:S", "expiresAt:N"], "KEYS_ONLY"),
        "due": (["duePartition:S", "dueAt:N"], "KEYS_ONLY"),
    },
    "Payments/Payments/Table": {
        "unsettled": (["unsettledPartition:S", "expiresAt:N"], ["awaitsRefund"]),
        "by-seller": (["sellerID:S", "orderID:S"], "KEYS_ONLY"),
        "due-looks": (["lookPartition:S", "lookAt:N"], "KEYS_ONLY"),
    },
}
RELAYS = {
    "tickets relay": "Tickets/Tickets/Table",
    "orders relay": "Orders/Orders/Table",
    "payments relay": "Payments/Payments/Table",
}

each_relay = pytest.mark.parametrize("relay", RELAYS)


def _tables(template: Template) -> dict[str, dict[str, Any]]:
    return {
        template.say({"Ref": logical_id}): table
        for logical_id, table in template.all_of("AWS::DynamoDB::Table").items()
    }


def _keys(table: dict[str, Any], schema: list[dict[str, str]]) -> list[str]:
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
    assert [key["KeyType"] for key in schema] == ["HASH", "RANGE"][: len(schema)]
    return [f"{key['AttributeName']}:{types[key['AttributeName']]}" for key in schema]


def _projection(index: dict[str, Any]) -> list[str] | str:
    projection = index["Projection"]
    if projection["ProjectionType"] == "INCLUDE":
        return sorted(projection["NonKeyAttributes"])
    return str(projection["ProjectionType"])


def _stream_mapping(template: Template, relay: str) -> dict[str, Any]:
    (mapping,) = [
        mapping
        for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values()
        if template.name_of_function(mapping["FunctionName"]) == relay
    ]
    return mapping


def test_each_table_has_the_keys_of_its_store(aws: Template) -> None:
    assert {name: _keys(table, table["KeySchema"]) for name, table in _tables(aws).items()} == KEYS


def test_each_table_has_the_indexes_of_its_store(aws: Template) -> None:
    assert {
        name: {
            index["IndexName"]: (_keys(table, index["KeySchema"]), _projection(index))
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        for name, table in _tables(aws).items()
    } == INDEXES


def test_tables_are_on_demand_with_backups_and_ttl(aws: Template) -> None:
    for table in _tables(aws).values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_streams_of_publishing_tables_carry_both_images(aws: Template) -> None:
    streams = {name: table.get("StreamSpecification") for name, table in _tables(aws).items()}
    both = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert streams == {name: both if name in RELAYS.values() else None for name in KEYS}


def test_each_table_with_a_stream_has_its_own_relay(aws: Template) -> None:
    fed = {
        aws.name_of_function(mapping["FunctionName"]): aws.say(mapping["EventSourceArn"])
        for mapping in aws.all_of("AWS::Lambda::EventSourceMapping").values()
        if "StreamArn" in str(mapping["EventSourceArn"])
    }
    assert fed == {relay: f"{table}.StreamArn" for relay, table in RELAYS.items()}


@each_relay
def test_a_relay_is_invoked_only_for_items_with_an_event(aws: Template, relay: str) -> None:
    (condition,) = _stream_mapping(aws, relay)["FilterCriteria"]["Filters"]
    assert json.loads(condition["Pattern"]) == {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"NewImage": {"event": {"M": {"id": {"S": [{"exists": True}]}}}}},
    }


@each_relay
def test_stream_records_are_not_dropped_silently(aws: Template, relay: str) -> None:
    mapping = _stream_mapping(aws, relay)
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == -1, "without end"
    assert mapping["MaximumRecordAgeInSeconds"] == 23 * 60 * 60, "until just before the stream drops the record"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    given_up = aws.properties(mapping["DestinationConfig"]["OnFailure"]["Destination"])
    assert given_up["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


@each_relay
def test_failed_stream_records_go_whole_to_a_queue_per_relay(aws: Template, relay: str) -> None:
    environment = aws.function(relay)["Environment"]["Variables"]
    assert aws.properties(environment["RELAY_DLQ_URL"])["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    others = [aws.function(other)["Environment"]["Variables"]["RELAY_DLQ_URL"] for other in RELAYS if other != relay]
    assert environment["RELAY_DLQ_URL"] not in others
    assert environment["EVENT_SOURCE"] == f"admit-one.{relay.split()[0]}"
