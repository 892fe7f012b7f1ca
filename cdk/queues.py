"""Queues: where messages wait, and where those lie that could not be handled."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.monitoring import Monitoring


class DeadLetterQueue(sqs.Queue):
    """Keeps what failed for 14 days, the longest that SQS can: time to mend the cause and send it round again.

    Its first message raises an alarm.
    """

    def __init__(self, scope: Construct, construct_id: str, *, monitoring: Monitoring) -> None:
        super().__init__(
            scope,
            construct_id,
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        monitoring.watch_dead_letters(self)
