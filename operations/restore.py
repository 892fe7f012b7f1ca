"""`make restore TABLE=orders FROM=<restored table> STAGE=prod`: replace a table's content with a restored copy.

DynamoDB restores a backup into a new table. This command writes that table's items into the stage's table with raised
versions ("lifted"), and deletes items that the copy does not have. Run it with the API closed and the listeners
disabled: see docs/operations.md.

Versions are raised because consumers ignore events that are not newer than their state. A restored item continues from
the version in the backup, but consumers have already seen higher versions, from events after the backup. They would
ignore the restored table's events until its versions exceed those. So the current time in milliseconds is added to
every number by which consumers order:

    tickets   version, editedVersion      Orders compares edits by `version`; sellers' edits are based on both
    orders    version, hold, holdNumber   Payments compares orders by `version`, Tickets compares holds by `hold`
    payments  version

Copies of another table's versions (`ticketVersion`, `orderVersion`, Tickets' `holdNumber`) are not raised, because that
table was not restored. They are stale now; `make republish` of the other table updates them.

Every lifted item has its event under a new id, so the relay publishes it. Repeating an interrupted run is safe.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from operations.stage import SERVICES, DeployedStage, NotDeployed
from shared import aws, clock
from shared.events import last_event
from shared.ids import new_id

type Item = dict[str, Any]

EVERY = 1000  # items per line of progress


def restore(*, service: str, source: str, target: str) -> Iterator[str]:
    """Write the lifted items of `source` into `target`, then delete all other items; yields lines of progress."""
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
    yield f"{len(kept)} items restored, {removed} removed that are not in the copy"


def lift(service: str, item: Item, *, by: int) -> Item:
    """Return the item and its event with every number that consumers order by raised by `by` milliseconds."""
    lifted = dict(item)
    if service == "orders" and "holdNumber" in item:  # the copy of a ticket, with its hold version
        return lifted | {"holdNumber": item["holdNumber"] + by}
    if "version" not in item:
        return lifted
    lifted["version"] = item["version"] + by
    if service == "tickets":
        lifted["editedVersion"] = item.get("editedVersion", 1) + by
    if "hold" in item:
        lifted["hold"] = item["hold"] + by
    if event := last_event(item):
        lifted["event"] = _lift_event(event, by=by)
        lifted.pop("lastEvent", None)
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
    """Run the command; returns 0 on success, 1 if the stage is not deployed, 2 if the confirmation is missing."""
    parser = argparse.ArgumentParser(prog="make restore", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--table", required=True, choices=SERVICES)
    parser.add_argument("--source", required=True, help="the table with the restored backup")
    parser.add_argument("--confirm", required=True, help="repeat the stage's name: the table's content is replaced")
    arguments = parser.parse_args()
    if arguments.confirm != arguments.stage:
        sys.stderr.write(f"This replaces the table's content. To confirm, add CONFIRM={arguments.stage}\n")
        return 2
    try:
        target = DeployedStage(arguments.stage).table(arguments.table)
        for line in restore(service=arguments.table, source=arguments.source, target=target):
            sys.stdout.write(f"{line}\n")
    except NotDeployed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
