"""`DeadLetterQueue`: the queue for messages that could not be processed."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.monitoring import Monitoring

MAX_RETENTION = Duration.days(14)
"""The maximum of SQS. A message that moves to a dead-letter queue keeps its age, so both queues need it."""


class DeadLetterQueue(sqs.Queue):
    """Keeps failed messages for 14 days since they were sent, so that operators can fix the cause and redrive them.

    The first message raises an alarm.
    """

    def __init__(self, scope: Construct, construct_id: str, *, monitoring: Monitoring) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=MAX_RETENTION,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        monitoring.watch_dead_letters(self)
