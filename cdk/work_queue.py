"""`WorkQueue`: a queue of messages with the function that processes them."""

import math

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.queues import MAX_RETENTION, DeadLetterQueue

RETRY_FOR = Duration.minutes(4)
"""How long a failed message is retried, counted from the first attempt."""


class WorkQueue(Construct):
    """Queue → function.

    `queue` buffers bursts and retries single messages instead of the batch, for at least `retry_for` after the first
    attempt. `dead_letters` receives the messages that still failed then. At most `concurrency` batches are processed at
    once. With a `batching_window` a message waits for others for that long, which makes runs fewer.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: ServiceFunction,
        monitoring: Monitoring,
        concurrency: int,
        batch_size: int = 10,
        batching_window: Duration | None = None,
        retry_for: Duration = RETRY_FOR,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", monitoring=monitoring)
        # Six times the function's timeout, and the window (AWS Lambda Developer Guide); otherwise a message can be
        # received again while Lambda still retries it. A failed message is received again once this time has passed.
        waiting_seconds = batching_window.to_seconds() if batching_window else 0
        visibility_seconds = 6 * function.timeout.to_seconds() + waiting_seconds
        self.queue = sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(visibility_seconds),
            retention_period=MAX_RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters,
                max_receive_count=1 + math.ceil(retry_for.to_seconds() / visibility_seconds),
            ),
        )
        monitoring.watch_queue(self.queue)
        function.grant("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=self.queue.queue_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "Messages",
            function_name=function.function.function_name,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size,
            maximum_batching_window_in_seconds=batching_window.to_seconds() if batching_window else None,
            function_response_types=["ReportBatchItemFailures"],
            # By default one queue's backlog may use the whole account's concurrency, and what Lambda then throttles
            # costs its messages receives.
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=concurrency),
        )

    def grant_send(self, function: ServiceFunction) -> None:
        """Let the function add messages, and read how many wait."""
        function.grant("sqs:SendMessage", "sqs:GetQueueAttributes", on=self.queue.queue_arn)
