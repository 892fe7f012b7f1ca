"""`EventListener`: delivers events from the bus to a function, through a queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.queues import DeadLetterQueue

ORDER_EVENTS = ("order:created", "order:awaiting-payment", "order:completed", "order:refunded", "order:cancelled")
"""All events of an order, for consumers that need every status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscription:
    """The events that a consumer receives from one source; becomes one rule named `name`."""

    name: str
    source: str
    types: Sequence[str]
    data: Mapping[str, Sequence[str]] | None = None
    """Field of the event's `data` to its allowed values."""


class EventListener(Construct):
    """Rules → queue → function.

    `queue` buffers bursts and retries single messages instead of the batch. `dead_letters` receives the events that a
    rule could not deliver and the messages that failed five times; both have the same format and can be redriven the
    same way.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: ServiceFunction,
        bus: events.IEventBus,
        subscriptions: Sequence[EventSubscription],
        monitoring: Monitoring,
        batch_size: int = 10,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", monitoring=monitoring)
        self.queue = sqs.Queue(
            self,
            "Queue",
            # Six times the function's timeout (AWS Lambda Developer Guide); otherwise a message can
            # reappear while Lambda still retries it.
            visibility_timeout=Duration.seconds(6 * function.timeout.to_seconds()),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=5),
        )
        monitoring.watch_queue(self.queue)
        target = targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)
        for each in subscriptions:
            events.Rule(
                self,
                each.name,
                event_bus=bus,
                event_pattern=events.EventPattern(
                    source=[each.source],
                    detail_type=[*each.types],
                    detail=_detail(each.data),
                ),
                targets=[target],
            )
        function.grant("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=self.queue.queue_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "Messages",
            function_name=function.function.function_name,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size,
            function_response_types=["ReportBatchItemFailures"],
        )


def _detail(data: Mapping[str, Sequence[str]] | None) -> dict[str, Any] | None:
    return {"data": {name: [*values] for name, values in data.items()}} if data else None
