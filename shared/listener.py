"""The frame of every consumer: a batch from SQS → typed events → the service's handler, message by message.

A message whose handler raises comes back after the queue's visibility time-out, the others of its batch do not; after
five receipts it lies in the listener's dead-letter queue. Each failure is counted, since the dead-letter queue's
alarm comes only after the fifth.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from shared.events import Data, Event, parse
from shared.telemetry import Trace, count, follow, logger


class NotYet(Exception):
    """The message came too early; it goes back to the queue."""


type Reaction = Callable[[Any], None]


def listen(reactions: Mapping[type[Data], Reaction], batch: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Hand each event of the batch to the reaction for its type; answer which messages failed."""
    failed = [record["messageId"] for record in batch["Records"] if not _is_handled(record, reactions)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_handled(record: Mapping[str, Any], reactions: Mapping[type[Data], Reaction]) -> bool:
    event_type = None
    try:
        envelope: dict[str, Any] = json.loads(record["body"])
        event_type = envelope["detail-type"]
        event: Event[Data] = parse(event_type, envelope["detail"])
    except Exception:
        _failed(record, event_type)
        return False
    with follow(Trace(event.metadata.correlationId, event.metadata.id)):
        try:
            reactions[type(event.data)](event.data)
        except NotYet as early:
            logger.info("event came too early", event_type=event_type, reason=str(early))
            return False
        except Exception:
            _failed(record, event_type)
            return False
        logger.info("event handled", event_type=event_type)
    return True


def _failed(record: Mapping[str, Any], event_type: str | None) -> None:
    logger.exception("event not handled", event_type=event_type, message_id=record["messageId"])
    count("EventsNotHandled")
