"""`make restore TABLE=orders FROM=<restored table> STAGE=prod`: put a restored copy in place of a table's content.

DynamoDB restores a backup into a new table. This puts its items into the stage's own table, lifted, and removes what
the copy does not have. To be run with the API closed and the listeners at rest: see docs/operations.md.

Lifted, because consumers drop what is not newer than what they have. A restored item counts its versions from where the
backup was made, and consumers have already seen those numbers, of events that no longer happened: they would drop all
that the restored table tells until it has overtaken itself. So the current time in milliseconds is added to whatever
consumers order by:

    tickets   version, editedVersion      Orders takes a ticket's edits by the first, sellers base theirs on both
    orders    version, hold, holdNumber   Payments takes an order by the first, Tickets a ticket's hold by the second
    payments  version

What a table keeps of another's numbers (`ticketVersion`, `orderVersion`, Tickets' `holdNumber`) is left alone: the
other was not restored. It is behind now, and `make republish` of the other's table brings it up.

Every lifted item carries its event under a new id, so the relay tells it. A run that was stopped is simply made again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from operations.stage import SERVICES, DeployedStage, NotDeployed
from shared import aws, clock
from shared.ids import new_id

type Item = dict[str, Any]

EVERY = 1000  # items between two lines of progress


def restore(*, service: str, source: str, target: str) -> Iterator[str]:
    """Put the copy's items, lifted, into the target, then remove what the copy does not have; says how far it is."""
    by = clock.to_millis(clock.now())
    keys = [key["AttributeName"] for key in aws.dynamodb().describe_table(TableName=target)["Table"]["KeySchema"]]
    kept = set()
    for number, item in enumerate(_scan(source), 1):
        lifted = lift(service, item, by=by)
        aws.dynamodb().put_item(TableName=target, Item=_to_dynamodb(lifted))
        kept.add(tuple(item[key] for key in keys))
        if number % EVERY == 0:
            yield f"{number} items restored"
    removed = 0
    for item in _scan(target):
        key = {name: item[name] for name in keys}
        if tuple(key.values()) not in kept:
            aws.dynamodb().delete_item(TableName=target, Key=_to_dynamodb(key))
            removed += 1
    yield f"{len(kept)} items restored, {removed} removed that the copy does not have"


def lift(service: str, item: Item, *, by: int) -> Item:
    """The item with all that consumers order by raised, and its event telling the same."""
    lifted = dict(item)
    if service == "orders" and "holdNumber" in item:  # the copy of a ticket, which counts its holds
        return lifted | {"holdNumber": item["holdNumber"] + by}
    if "version" not in item:
        return lifted
    lifted["version"] = item["version"] + by
    if service == "tickets":
        lifted["editedVersion"] = item.get("editedVersion", 1) + by
    if "hold" in item:
        lifted["hold"] = item["hold"] + by
    if "event" in item:
        lifted["event"] = _lift_event(item["event"], by=by)
    return lifted


def _lift_event(event: Item, *, by: int) -> Item:
    ident = new_id()
    detail = json.loads(event["detail"])
    detail["metadata"]["id"] = ident
    detail["data"]["version"] += by
    if "hold" in detail["data"].get("ticket", {}):
        detail["data"]["ticket"]["hold"] += by
    return {**event, "id": ident, "detail": json.dumps(detail)}


def _scan(table: str) -> Iterator[Item]:
    for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            yield {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def _to_dynamodb(item: Item) -> dict[str, Any]:
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}


_DESERIALIZER = TypeDeserializer()
_SERIALIZER = TypeSerializer()


def main() -> int:
    """Ends with 0 if the table is as the copy was."""
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--table", required=True, choices=SERVICES)
    parser.add_argument("--source", required=True, help="the table into which the backup was restored")
    parser.add_argument("--confirm", required=True, help="the stage's name once more: what the table has is replaced")
    asked = parser.parse_args()
    if asked.confirm != asked.stage:
        sys.stderr.write(f"This replaces what the table holds. Say so: CONFIRM={asked.stage}\n")
        return 2
    try:
        target = DeployedStage(asked.stage).table(asked.table)
        for line in restore(service=asked.table, source=asked.source, target=target):
            sys.stdout.write(f"{line}\n")
    except NotDeployed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
