"""`Recurring`: a function that runs on a schedule."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.queues import DeadLetterQueue

RUN_TIMEOUT = Duration.minutes(4)
"""For functions that run every five minutes: they work until shortly before it, and two runs do not overlap."""


class Recurring(Construct):
    """Calls a function at a fixed rate. Failed invocations go to `failures`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: ServiceFunction,
        every: Duration,
        failures: DeadLetterQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        # By default Lambda keeps a call for six hours: after an hour without concurrency, twelve would run at once.
        function.function.configure_async_invoke(max_event_age=every, retry_attempts=2)
        # A custom role: the one that CDK creates may also call every version and alias of the function.
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
        )
        for action, target in (
            ("lambda:InvokeFunction", function.function.function_arn),
            ("sqs:SendMessage", failures.queue_arn),
        ):
            role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[target]))
        schedule = scheduler.Schedule(
            self,
            "Schedule",
            schedule=scheduler.ScheduleExpression.rate(every),
            target=targets.LambdaInvoke(
                function.function,
                dead_letter_queue=failures,
                max_event_age=every,  # the next call is due then
                retry_attempts=3,
                role=role.without_policy_updates(),
            ),
        )
        schedule.node.add_dependency(role)
