"""The relay: publishes new outbox entries from a table's stream to the bus.

The outbox entry makes a state change and its event one write. A record is published if and only if it is an INSERT or
MODIFY whose new image has an `event` with an id different from that in the old image. Records that cannot be published
are sent complete to the relay's own dead-letter queue, since a stream keeps records for 24 hours only and its failure
destination does not contain the record.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import aws, settings
from shared.publish import NotPublished, publish
from shared.telemetry import logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of a relay function."""

    event_bus_name: str
    event_source: str
    relay_dlq_url: str


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Publish the new outbox entries of a batch of stream records."""
    env = settings.load(Settings)
    records = {entry["id"]: (entry, record) for record in event["Records"] if (entry := _new_entry(record))}
    try:
        publish([entry for entry, _ in records.values()], bus=env.event_bus_name, source=env.event_source)
    except NotPublished as failure:
        logger.error(
            "events not published; their records go to the relay's dead-letter queue",
            count=len(failure.events),
        )
        for entry in failure.events:
            # If this fails too, the stream delivers the whole batch again; consumers ignore duplicates.
            aws.sqs().send_message(QueueUrl=env.relay_dlq_url, MessageBody=json.dumps(records[entry["id"]][1]))
    return {"batchItemFailures": []}


def _new_entry(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the new outbox entry of a record, or None."""
    if record["eventName"] not in ("INSERT", "MODIFY"):
        return None
    new = _event(record["dynamodb"].get("NewImage"))
    old = _event(record["dynamodb"].get("OldImage"))
    return new if new and (not old or new["id"] != old["id"]) else None


def _event(image: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not image or "event" not in image:
        return None
    return {name: value["S"] for name, value in image["event"]["M"].items()}
