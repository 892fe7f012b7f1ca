"""`EventListener`: from the bus to a function, through a queue that loses nothing."""

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
"""All events of an order, for those who follow its whole life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Events that a consumer asks for; each becomes one rule of that name."""

    name: str
    source: str
    types: Sequence[str]
    data: Mapping[str, Sequence[str]] | None = None
    """Values that fields of the event's `data` must have."""


class EventListener(Construct):
    """Rules → queue → function, with one dead-letter queue for what a rule could not hand over and what the function
    could not handle, which are the same message and can be sent round again the same way.

    `queue` holds back a rush and retries one message and not the batch; `dead_letters` keeps what failed five times.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: ServiceFunction,
        bus: events.IEventBus,
        wanted: Sequence[Wanted],
        monitoring: Monitoring,
        batch_size: int = 10,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", monitoring=monitoring)
        self.queue = sqs.Queue(
            self,
            "Queue",
            # Six times the function's time, says Lambda's guide: else a message that is being retried comes twice.
            visibility_timeout=Duration.seconds(6 * function.timeout.to_seconds()),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=5),
        )
        monitoring.watch_queue(self.queue)
        target = targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)
        for want in wanted:
            events.Rule(
                self,
                want.name,
                event_bus=bus,
                event_pattern=events.EventPattern(
                    source=[want.source],
                    detail_type=[*want.types],
                    detail=_detail(want.data),
                ),
                targets=[target],
            )
        function.may("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=self.queue.queue_arn)
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
