"""The relay: from a table's stream to the bus, so that a state change and the event that tells of it are one write.

It publishes if and only if a record is an INSERT or MODIFY whose new image holds an `event` with an id that the old
image's does not have. What cannot be published goes, whole, to the relay's own dead-letter queue, since a stream
forgets after 24 hours and its failure destination keeps no body.
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
    """The environment of a relay function."""

    event_bus_name: str
    event_source: str
    relay_dlq_url: str


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Publish what a batch of stream records tells."""
    env = settings.load(Settings)
    records = {told["id"]: (told, record) for record in event["Records"] if (told := _told(record))}
    try:
        publish([told for told, _ in records.values()], bus=env.event_bus_name, source=env.event_source)
    except NotPublished as failure:
        logger.error(
            "events not published; their records go to the relay's dead-letter queue",
            count=len(failure.events),
        )
        for told in failure.events:
            # If this fails too the batch fails, and the stream delivers it again: consumers drop what they have.
            aws.sqs().send_message(QueueUrl=env.relay_dlq_url, MessageBody=json.dumps(records[told["id"]][1]))
    return {"batchItemFailures": []}


def _told(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event that this record tells of, or None."""
    if record["eventName"] not in ("INSERT", "MODIFY"):
        return None
    new = _event(record["dynamodb"].get("NewImage"))
    old = _event(record["dynamodb"].get("OldImage"))
    return new if new and (not old or new["id"] != old["id"]) else None


def _event(image: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not image or "event" not in image:
        return None
    return {name: value["S"] for name, value in image["event"]["M"].items()}
