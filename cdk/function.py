"""`ServiceFunction`: a Lambda function with its role, log group and alarms."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.assets import code_for
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.stages import Stage

_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class ServiceFunction(Construct):
    """A Lambda function of one service, with its own role.

    `function` is the Lambda function, `name` its name in a stage's `reserved_concurrency` (`orders-api`). Its role may
    initially write its log group only (and X-Ray traces, if the stage has tracing); `grant` and the other `grant_…`
    methods add permissions. `synchronous`: a caller waits for the response and sees failures, so errors need no alarm.
    `is_worker`: it performs what another function has queued. `async_failures` receives asynchronous invocations
    that failed.

    Lambda allocates CPU in proportion to memory (one full vCPU at 1,769 MB) and bills memory times duration. So
    CPU-bound work costs the same at any size, and waiting costs less with less memory. A cold start in Python is almost
    all CPU, hence the default of 1,024 MB.
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
        synchronous: bool = False,
        is_worker: bool = False,
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 1024,
        async_failures: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.service = service
        self.name = f"{service}-{handler.split('.')[-2]}"
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
            architecture=_ARCHITECTURES[stage.architecture],
            handler=handler,
            code=code_for(handler, stage=stage),
            timeout=timeout,
            memory_size=memory_mb,
            reserved_concurrent_executions=stage.reserved_concurrency.get(self.name),
            role=self.role.without_policy_updates(),
            log_group=log_group,
            environment={
                "STAGE": stage.name,
                "POWERTOOLS_SERVICE_NAME": service,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **(environment or {}),
            },
            dead_letter_queue=async_failures,
            # No START, END and REPORT lines, which would be half of all bytes. Warnings, such as timeouts, remain.
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            # Lambda itself traces each call and each cold start. The X-Ray SDK would add a function's outgoing calls,
            # but costs a cold start almost as much as the DynamoDB client.
            tracing=lambda_.Tracing.ACTIVE if stage.tracing else lambda_.Tracing.PASS_THROUGH,
        )
        if stage.tracing:
            self.grant("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*")
            suppress(self.role, "IAM5[Resource::*]", "X-Ray's two write actions support no resource.")
        suppress(
            self.function,
            "L1",
            "Python 3.13 had the shortest measured cold start, is supported until 2029, and is the target of the"
            " bytecode in the zip.",
        )
        monitoring.watch_function(self.function, synchronous=synchronous, is_worker=is_worker)
        if async_failures:
            self.grant("sqs:SendMessage", on=async_failures.queue_arn)

    def grant(self, *actions: str, on: str, conditions: Mapping[str, object] | None = None) -> None:
        """Grant the function these actions on one resource (an ARN)."""
        self.role.add_to_policy(
            iam.PolicyStatement(actions=[*actions], resources=[on], conditions=dict(conditions or {}))
        )

    def let_call(self, other: "ServiceFunction", *, setting: str) -> None:
        """Let the function call another one, whose name it finds in this environment variable."""
        self.grant("lambda:InvokeFunction", on=other.function.function_arn)
        self.function.add_environment(setting, other.function.function_name)

    def grant_publish(self, *, bus: events.IEventBus) -> None:
        """Grant putting events on the bus, with the source of its own service only.

        `events:source` has several values: those of all entries of a call. `ForAllValues` also holds for a call without
        any, which `Null` excludes (EventBridge User Guide, "Using IAM policy conditions").
        """
        self.grant(
            "events:PutEvents",
            on=bus.event_bus_arn,
            conditions={
                "ForAllValues:StringEquals": {"events:source": self.source},
                "Null": {"events:source": "false"},
            },
        )

    def grant_read_secret(self, secret: secretsmanager.ISecret) -> None:
        """Grant reading one secret."""
        self.grant("secretsmanager:GetSecretValue", on=secret.secret_arn)
