"""`Relay`: from a table's stream to the bus."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.acknowledged import acknowledge
from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.queues import DeadLetterQueue
from cdk.stages import Stage


class Relay(Construct):
    """The function that publishes what a table's items tell, fed by the table's stream.

    Nothing goes untold in silence. What the bus does not take goes, whole, to `unpublished`. Where the relay itself
    fails, the stream gives the batch again and again, in halves, and at last leaves in `undelivered` where the record
    stands in the stream (not the record: the stream itself forgets it after 24 hours).
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
            acknowledge(queue, "SQS3", "It is a dead-letter queue itself: the relay's, and its stream mapping's.")
        self.function = ServiceFunction(
            self,
            "Publish",
            stage=stage,
            service=service,
            handler="shared.relay.handler",
            timeout=Duration.seconds(30),
            monitoring=monitoring,
            environment={
                "EVENT_BUS_NAME": bus.event_bus_name,
                "EVENT_SOURCE": f"admit-one.{service}",
                "RELAY_DLQ_URL": self.unpublished.queue_url,
            },
        )
        self.function.may_publish(bus=bus)
        self.function.may("sqs:SendMessage", on=self.unpublished.queue_arn)

        # What Lambda itself does in the function's name, to feed it.
        stream = table.table_stream_arn
        assert stream, "a relay needs a table with a stream"  # noqa: S101  # for the types: ServiceTable sees to it
        self.function.may("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", on=stream)
        self.function.may("dynamodb:ListStreams", on="*")  # it knows no narrower resource
        self.function.may("sqs:SendMessage", on=self.undelivered.queue_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "Stream",
            function_name=self.function.function.function_name,
            event_source_arn=stream,
            starting_position="TRIM_HORIZON",  # LATEST would lose what is written while the mapping is being made
            batch_size=100,
            bisect_batch_on_function_error=True,
            # A record that breaks the relay holds up its whole shard, so it is given up within minutes.
            maximum_retry_attempts=10,
            maximum_record_age_in_seconds=int(Duration.hours(12).to_seconds()),
            function_response_types=["ReportBatchItemFailures"],
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self.undelivered.queue_arn)
            ),
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=_TELLS_SOMETHING)]
            ),
        )
        monitoring.watch_stream(self.function.function)


# The function is not even called (nor paid) for removals and for items that carry no event.
_TELLS_SOMETHING = """{
  "eventName": ["INSERT", "MODIFY"],
  "dynamodb": {"NewImage": {"event": {"M": {"id": {"S": [{"exists": true}]}}}}}
}"""
