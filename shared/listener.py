"""Base of every listener: parses a batch of SQS messages into events and calls the service's handlers one by one.

A message whose handler raises is delivered again after the queue's visibility timeout; the others in its batch are not.
After the number of receives that the queue allows, it moves to the listener's dead-letter queue. Every failure is
counted, since the alarm of the dead-letter queue is raised only then.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from shared.events import Data, Event, parse
from shared.telemetry import Trace, count, follow, logger


class TooEarly(Exception):
    """The event cannot be handled now; its message returns to the queue."""


type EventHandler = Callable[[Any], None]


def listen(handlers: Mapping[type[Data], EventHandler], batch: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Pass each event of the batch to the handler of its type. Returns the failed messages as `batchItemFailures`."""
    failed = [record["messageId"] for record in batch["Records"] if not _is_handled(record, handlers)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_handled(record: Mapping[str, Any], handlers: Mapping[type[Data], EventHandler]) -> bool:
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
            handlers[type(event.data)](event.data)
        except TooEarly as error:
            logger.info("event came too early", event_type=event_type, reason=str(error))
            return False
        except Exception:
            _failed(record, event_type)
            return False
        logger.info("event handled", event_type=event_type)
    return True


def _failed(record: Mapping[str, Any], event_type: str | None) -> None:
    logger.exception("event not handled", event_type=event_type, message_id=record["messageId"])
    count("EventsNotHandled")
