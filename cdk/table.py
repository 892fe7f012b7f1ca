"""`ServiceTable`: a service's DynamoDB table."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.monitoring import Monitoring
from cdk.relay import Relay
from cdk.stages import Stage

STRING = dynamodb.AttributeType.STRING
NUMBER = dynamodb.AttributeType.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A global secondary index. `attributes` are projected besides the keys; if empty, only the keys are."""

    name: str
    partition_key: str
    sort_key: str
    sort_key_type: dynamodb.AttributeType = STRING
    attributes: Sequence[str] = ()


class ServiceTable(Construct):
    """The one table of a service: on-demand billing, point-in-time recovery, and TTL by the attribute `ttl`.

    `table` is the table. With `published_on` it has a stream and a relay that publishes the outbox entries.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        service: str,
        monitoring: Monitoring,
        sort_key: str | None = None,
        indexes: Sequence[Index] = (),
        published_on: events.IEventBus | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=STRING),
            sort_key=dynamodb.Attribute(name=sort_key, type=STRING) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="ttl",
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if published_on else None,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=stage.keep_data,
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        for index in indexes:
            self.table.add_global_secondary_index(
                index_name=index.name,
                partition_key=dynamodb.Attribute(name=index.partition_key, type=STRING),
                sort_key=dynamodb.Attribute(name=index.sort_key, type=index.sort_key_type),
                projection_type=(
                    dynamodb.ProjectionType.INCLUDE if index.attributes else dynamodb.ProjectionType.KEYS_ONLY
                ),
                non_key_attributes=[*index.attributes] or None,
            )
        if published_on:
            Relay(
                self,
                "Relay",
                stage=stage,
                service=service,
                table=self.table,
                bus=published_on,
                monitoring=monitoring,
            )
        monitoring.watch_table(self.table)
        for index in indexes:
            monitoring.watch_index(self.table, index.name)

    def allow(self, caller: ServiceFunction, *actions: str) -> None:
        """Grant the function these actions (`GetItem`, `PutItem`, …) on the table."""
        caller.grant(*(f"dynamodb:{action}" for action in actions), on=self.table.table_arn)

    def allow_query(self, caller: ServiceFunction, *, index: str) -> None:
        """Grant the function queries of one index."""
        caller.grant("dynamodb:Query", on=f"{self.table.table_arn}/index/{index}")
