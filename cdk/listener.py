"""`EventListener`: delivers events from the bus to a function, through a queue."""

import math
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
from cdk.queues import LONGEST_RETENTION, DeadLetterQueue
from cdk.stages import Stage

ORDER_EVENTS = ("order:created", "order:awaiting-payment", "order:completed", "order:refunded", "order:cancelled")
"""All events of an order, for consumers that need every status."""
RETRY_FOR = Duration.minutes(4)
"""How long a listener retries a message, counted from the first attempt."""


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

    `queue` buffers bursts and retries single messages instead of the batch, for at least `retry_for` after the first
    attempt. `dead_letters` receives the events that a rule could not deliver and the messages that still failed then;
    both have the same format and can be redriven the same way.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        function: ServiceFunction,
        bus: events.IEventBus,
        subscriptions: Sequence[EventSubscription],
        monitoring: Monitoring,
        batch_size: int = 10,
        retry_for: Duration = RETRY_FOR,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", monitoring=monitoring)
        # Six times the function's timeout (AWS Lambda Developer Guide); otherwise a message can reappear while Lambda
        # still retries it. A failed message is received again once this time has passed.
        visibility_seconds = 6 * function.timeout.to_seconds()
        self.queue = sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(visibility_seconds),
            retention_period=LONGEST_RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters,
                max_receive_count=1 + math.ceil(retry_for.to_seconds() / visibility_seconds),
            ),
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
            # By default one queue's backlog may use the whole account's concurrency, and what Lambda then throttles
            # costs its messages receives.
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(
                maximum_concurrency=stage.listener_concurrency
            ),
        )


def _detail(data: Mapping[str, Sequence[str]] | None) -> dict[str, Any] | None:
    return {"data": {name: [*values] for name, values in data.items()}} if data else None
