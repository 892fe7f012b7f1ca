"""The frame of every consumer: a batch from SQS → typed events → the service's handler, message by message.

A message whose handler raises comes back after the queue's visibility time-out, the others of its batch do not; after
five receipts it lies in the listener's dead-letter queue.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.events import Data, Event, parse
from shared.telemetry import Trace, follow, logger


class NotYet(Exception):
    """The message came too early; it goes back to the queue."""


type Reaction = Callable[[Any], None]


def listen(reactions: Mapping[type[Data], Reaction], batch: dict[str, Any], context: object) -> dict[str, Any]:
    """Hand each event of the batch to the reaction for its type; answer which messages failed."""

    def react(record: SQSRecord) -> None:
        envelope: dict[str, Any] = record.json_body
        event: Event[Data] = parse(envelope["detail-type"], envelope["detail"])
        with follow(Trace(event.metadata.correlationId, event.metadata.id)):
            try:
                reactions[type(event.data)](event.data)
            except NotYet as early:
                logger.info("event came too early", event_type=event.data.type, reason=str(early))
                raise
            except Exception:
                logger.exception("event not handled", event_type=event.data.type, message_id=record.message_id)
                raise

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(batch, react, processor, _as_context(context)))


def _as_context(context: object) -> LambdaContext:
    return context  # type: ignore[return-value]  # the runtime's own object, which has this shape
