"""`Relay`: publishes outbox entries from a table's stream to the bus."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.queues import DeadLetterQueue
from cdk.stages import Stage


class Relay(Construct):
    """The function that reads a table's stream and publishes new outbox entries.

    No event is lost silently. While the bus does not accept events, the stream keeps their records, and Lambda delivers
    them again from the first that was not published. Shortly before the stream drops a record, `undelivered` receives
    its position in the stream (not the record, which the stream keeps for 24 hours). `unpublished` receives the records
    of events that the bus rejects as invalid, complete.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        service: str,
        table: dynamodb.ITable,
        bus: events.IEventBus,
        monitoring: Monitoring,
    ) -> None:
        super().__init__(scope, construct_id)
        self.unpublished = DeadLetterQueue(self, "Unpublished", monitoring=monitoring)
        self.undelivered = DeadLetterQueue(self, "Undelivered", monitoring=monitoring)
        for queue in (self.unpublished, self.undelivered):
            suppress(queue, "SQS3", "It is itself a dead-letter queue, of the relay or of its stream mapping.")
        self.function = ServiceFunction(
            self,
            "Publish",
            stage=stage,
            service=service,
            handler="functions.relay.relay.handler",
            timeout=Duration.seconds(30),
            monitoring=monitoring,
            environment={
                "EVENT_BUS_NAME": bus.event_bus_name,
                "EVENT_SOURCE": f"admit-one.{service}",
                "RELAY_DLQ_URL": self.unpublished.queue_url,
            },
        )
        self.function.grant_publish(bus=bus)
        self.function.grant("sqs:SendMessage", on=self.unpublished.queue_arn)

        # Lambda uses the function's role to read the stream.
        stream = table.table_stream_arn
        assert stream, "a relay needs a table with a stream"  # noqa: S101  # for the types: ServiceTable ensures it
        self.function.grant("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", on=stream)
        self.function.grant("dynamodb:ListStreams", on="*")
        suppress(self.function.role, "IAM5[Resource::*]", "ListStreams supports no resource.")
        self.function.grant("sqs:SendMessage", on=self.undelivered.queue_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "Stream",
            function_name=self.function.function.function_name,
            event_source_arn=stream,
            starting_position="TRIM_HORIZON",  # LATEST would skip records written while the mapping is created
            batch_size=100,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=-1,  # until the record is too old
            maximum_record_age_in_seconds=int(Duration.hours(23).to_seconds()),
            function_response_types=["ReportBatchItemFailures"],
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self.undelivered.queue_arn)
            ),
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=_PUBLISHES_EVENT)]
            ),
        )
        monitoring.watch_stream(self.function.function)


# Lambda does not invoke the function (and does not bill) for removals and for items without an event.
_PUBLISHES_EVENT = """{
  "eventName": ["INSERT", "MODIFY"],
  "dynamodb": {"NewImage": {"event": {"M": {"id": {"S": [{"exists": true}]}}}}}
}"""
