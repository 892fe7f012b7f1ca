"""The frame of every consumer: a batch from SQS → typed events → the service's handler, message by message.

A message whose handler raises comes back after the queue's visibility time-out, the others of its batch do not; after
five receipts it lies in the listener's dead-letter queue. Each failure is counted, since the dead-letter queue's
alarm comes only after the fifth.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.events import Data, Event, parse
from shared.telemetry import Trace, count, follow, logger


class NotYet(Exception):
    """The message came too early; it goes back to the queue."""


type Reaction = Callable[[Any], None]


def listen(reactions: Mapping[type[Data], Reaction], batch: dict[str, Any], context: object) -> dict[str, Any]:
    """Hand each event of the batch to the reaction for its type; answer which messages failed."""

    def react(record: SQSRecord) -> None:
        envelope: dict[str, Any] = record.json_body
        event_type = envelope["detail-type"]
        try:
            event: Event[Data] = parse(event_type, envelope["detail"])
        except ValueError:
            _failed(record, event_type)
            raise
        with follow(Trace(event.metadata.correlationId, event.metadata.id)):
            try:
                reactions[type(event.data)](event.data)
            except NotYet as early:
                logger.info("event came too early", event_type=event_type, reason=str(early))
                raise
            except Exception:
                _failed(record, event_type)
                raise
            logger.info("event handled", event_type=event_type)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, react, processor, _as_context(context)))


def _failed(record: SQSRecord, event_type: str) -> None:
    logger.exception("event not handled", event_type=event_type, message_id=record.message_id)
    count("EventsNotHandled")


def _as_context(context: object) -> LambdaContext:
    return context  # type: ignore[return-value]  # the runtime's own object, which has this shape
