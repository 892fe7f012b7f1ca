"""The relay: publishes new outbox entries from a table's stream to the bus.

The outbox entry makes a state change and its event one write. A record is published if and only if it is an INSERT or
MODIFY whose new image has an `event` with an id different from that in the old image. While the bus does not accept
an event, its record and all later ones of the shard stay in the stream and are delivered again. Only the record of an
event that the bus rejects as invalid is set aside, complete, in the relay's dead-letter queue: it would block its shard
until the stream drops it.
"""

import json
from dataclasses import dataclass
from typing import Any

from shared import aws, settings
from shared.publish import NotPublished, new_entry, publish
from shared.telemetry import count, logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of a relay function."""

    event_bus_name: str
    event_source: str
    relay_dlq_url: str


def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Publish the new outbox entries of a batch of stream records.

    Returns the first record that was not published as `batchItemFailures`: Lambda delivers it again with all that
    follow it, until the stream drops it.
    """
    env = settings.load(Settings)
    records = {entry["id"]: (entry, record) for record in event["Records"] if (entry := new_entry(record))}
    try:
        publish([entry for entry, _ in records.values()], bus=env.event_bus_name, source=env.event_source)
    except NotPublished as failure:
        logger.error("events not published", count=len(failure.events), rejected=len(failure.rejected))
        count("EventsNotPublished", len(failure.events))
        rejected = {entry["id"] for entry in failure.rejected}
        for ident in rejected:
            # If this fails, the stream delivers the whole batch again; consumers ignore duplicates.
            aws.sqs().send_message(QueueUrl=env.relay_dlq_url, MessageBody=json.dumps(records[ident][1]))
        held = {entry["id"] for entry in failure.events} - rejected
        first = next((record for ident, (_, record) in records.items() if ident in held), None)
        if first:
            return {"batchItemFailures": [{"itemIdentifier": first["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
