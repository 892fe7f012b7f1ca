"""Expiration: publishes promptly that an order's deadline has passed. Correctness does not depend on it."""

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.listener import EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.queues import DeadLetterQueue
from cdk.stages import Stage

SERVICE = "expiration"
SUBSCRIPTIONS = [
    EventSubscription(name="Orders", source="admit-one.orders", types=("order:created", "order:awaiting-payment"))
]


class Expiration(Construct):
    """One EventBridge schedule per order, in a dedicated group, calls `expire` at the order's deadline."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        publishing = {"EVENT_BUS_NAME": bus.event_bus_name}
        # Receives calls that a schedule could not deliver and calls that the function failed; both have one format.
        failures = DeadLetterQueue(self, "ExpireFailures", monitoring=monitoring)
        expire = ServiceFunction(
            self,
            "Expire",
            stage=stage,
            service=SERVICE,
            handler="functions.expiration.expire.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            environment=publishing,
            async_failures=failures,
        )
        expire.grant_publish(bus=bus)
        expire.function.configure_async_invoke(max_event_age=Duration.hours(6), retry_attempts=2)  # the most of both

        # No fixed name: deleting a group takes a while, and a recreated stack must not wait for it.
        deadlines = scheduler.CfnScheduleGroup(self, "Deadlines")
        caller = self._add_schedule_role(deadlines, expire, failures)

        listener = ServiceFunction(
            self,
            "Listener",
            stage=stage,
            service=SERVICE,
            handler="functions.expiration.listener.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            environment={
                **publishing,
                "SCHEDULE_GROUP": deadlines.ref,
                "EXPIRE_FUNCTION_ARN": expire.function.function_arn,
                "SCHEDULER_ROLE_ARN": caller.role_arn,
                "SCHEDULE_DLQ_ARN": failures.queue_arn,
            },
        )
        listener.grant_publish(bus=bus)  # it publishes at once if the deadline has passed
        listener.grant(
            "scheduler:CreateSchedule",
            "scheduler:DeleteSchedule",
            on=f"arn:{Aws.PARTITION}:scheduler:{Aws.REGION}:{Aws.ACCOUNT_ID}:schedule/{deadlines.ref}/*",
        )
        group = Stack.of(self).get_logical_id(deadlines)
        suppress(
            listener.role,
            f"IAM5[Resource::arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/<{group}>/*]",
            "One schedule per order, named after it, in a dedicated group.",
        )
        listener.grant(
            "iam:PassRole",
            on=caller.role_arn,
            conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        )
        EventListener(
            self,
            "Events",
            stage=stage,
            function=listener,
            bus=bus,
            monitoring=monitoring,
            subscriptions=SUBSCRIPTIONS,
            batching_window=Duration.seconds(1),  # nobody waits for a timer
        )

    def _add_schedule_role(
        self, group: scheduler.CfnScheduleGroup, expire: ServiceFunction, failures: DeadLetterQueue
    ) -> iam.Role:
        """Return the role with which the group's schedules call `expire`."""
        role = iam.Role(
            self,
            "ScheduleRole",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {
                        "aws:SourceAccount": Aws.ACCOUNT_ID,
                        "aws:SourceArn": group.attr_arn,
                    }
                },
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[expire.function.function_arn])
        )
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[failures.queue_arn]))
        return role
