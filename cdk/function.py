"""`ServiceFunction`: one Lambda function with all that none of them may lack."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledged import acknowledge
from cdk.assets import code_for
from cdk.monitoring import Monitoring
from cdk.stages import Stage


class ServiceFunction(Construct):
    """A function of one service: its own role, which begins with no right but to write its own log group.

    `function` is the Lambda function; the `may_…` methods are the only way by which its role gets rights. `attended`
    says that somebody waits for its answer, and so hears of a failure without an alarm.

    Memory buys processor in proportion (one whole core at 1,769 MB) and is billed by the millisecond, so what only
    computes costs the same at any size, and what waits costs less in less; a cold start in Python is nearly all
    computing. Hence 1,024 MB where nothing else is known.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        service: str,
        handler: str,
        timeout: Duration,
        monitoring: Monitoring,
        attended: bool = False,
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 1024,
        async_failures: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.service = service
        self.source = f"admit-one.{service}"
        self.timeout = timeout
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        log_group.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"Admit One ({stage.name}): {handler.removesuffix('.handler')}, {service}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=(
                lambda_.Architecture.ARM_64 if stage.architecture == "arm64" else lambda_.Architecture.X86_64
            ),
            handler=handler,
            code=code_for(handler, stage=stage),
            timeout=timeout,
            memory_size=memory_mb,
            role=self.role.without_policy_updates(),
            log_group=log_group,
            environment={
                "STAGE": stage.name,
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **(environment or {}),
            },
            dead_letter_queue=async_failures,
            # Lambda itself tells X-Ray of each call and each cold start. The SDK, which would add the calls that a
            # function makes, costs a cold start almost as much again as the DynamoDB client.
            tracing=lambda_.Tracing.ACTIVE,
        )
        self.may("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*")  # they know no narrower resource
        acknowledge(
            self.function,
            "L1",
            "Python 3.13 had the shortest cold start when it was measured, is supported until 2029, and is what the"
            " bytecode in the zip is made for.",
        )
        acknowledge(
            self.role, "IAM5[Resource::*]", "X-Ray's two write actions (and a relay's ListStreams) know no resource."
        )
        monitoring.watch_function(self.function, attended=attended)
        if async_failures:
            self.may("sqs:SendMessage", on=async_failures.queue_arn)

    def may(self, *actions: str, on: str, conditions: Mapping[str, object] | None = None) -> None:
        """Let the function do these on one resource."""
        self.role.add_to_policy(
            iam.PolicyStatement(actions=[*actions], resources=[on], conditions=dict(conditions or {}))
        )

    def may_publish(self, *, bus: events.IEventBus) -> None:
        """Let it put events on the bus, in its own service's name only."""
        self.may(
            "events:PutEvents",
            on=bus.event_bus_arn,
            conditions={"StringEquals": {"events:source": self.source}},
        )

    def may_read_secret(self, secret: secretsmanager.ISecret) -> None:
        """Let it read this one secret."""
        self.may("secretsmanager:GetSecretValue", on=secret.secret_arn)
