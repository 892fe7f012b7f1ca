"""Payments: moves money, and only on what Orders has decided."""

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.acknowledged import acknowledge
from cdk.function import ServiceFunction
from cdk.http_api import Route
from cdk.listener import ORDER_EVENTS, EventListener, Wanted
from cdk.monitoring import Monitoring
from cdk.queues import DeadLetterQueue
from cdk.schedule import Recurring
from cdk.stages import Stage
from cdk.table import NUMBER, Index, ServiceTable

SERVICE = "payments"
WAITING_MB = 512
"""For what waits for Stripe with nobody waiting for it: waiting costs half of what it does with the usual memory."""


class Payments(Construct):
    """`routes` are the calls that the service answers; `stripe_keys` is the secret that an operator fills."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        payments = ServiceTable(
            self,
            "Payments",
            stage=stage,
            service=SERVICE,
            monitoring=monitoring,
            indexes=[
                Index(
                    name="unsettled",
                    partition_key="unsettledPartition",
                    sort_key="updatedAt",
                    sort_key_type=NUMBER,
                )
            ],
            published_on=bus,
        )
        # Made empty and filled by an operator. CloudFormation writes a secret's value only when the template's changes,
        # and this text never does, so no deploy overwrites the keys. Nothing secret is in it: hence "unsafe" is safe.
        self.stripe_keys = secretsmanager.Secret(
            self,
            "StripeKeys",
            description=f"Admit One ({stage.name}): Stripe's keys, as JSON",
            secret_string_value=SecretValue.unsafe_plain_text(
                '{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'
            ),
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        acknowledge(self.stripe_keys, "SMG4", "Only Stripe can make its keys: an operator rolls them there.")
        environment = {
            "TABLE_NAME": payments.table.table_name,
            "STRIPE_SECRET_ARN": self.stripe_keys.secret_arn,
        }
        if stage.stripe_api_base:
            environment["STRIPE_API_BASE"] = stage.stripe_api_base

        api = ServiceFunction(
            self,
            "Api",
            stage=stage,
            service=SERVICE,
            handler="functions.payments.api.handler",
            timeout=Duration.seconds(29),  # an HTTP API waits for 30
            monitoring=monitoring,
            attended=True,
            environment=environment,
        )
        payments.allow(api, "GetItem", "PutItem", "UpdateItem", "DeleteItem")

        webhook = ServiceFunction(
            self,
            "Webhook",
            stage=stage,
            service=SERVICE,
            handler="functions.payments.webhook.handler",
            timeout=Duration.seconds(29),
            monitoring=monitoring,
            attended=True,
            environment=environment,
            memory_mb=WAITING_MB,
        )
        payments.allow(webhook, "GetItem", "PutItem")

        listener = ServiceFunction(
            self,
            "Listener",
            stage=stage,
            service=SERVICE,
            handler="functions.payments.listener.handler",
            timeout=Duration.seconds(30),
            monitoring=monitoring,
            environment=environment,
            memory_mb=WAITING_MB,
        )
        payments.allow(listener, "GetItem", "PutItem")
        EventListener(
            self,
            "Events",
            function=listener,
            bus=bus,
            monitoring=monitoring,
            wanted=[
                Wanted(
                    name="Orders",
                    source="admit-one.orders",
                    types=ORDER_EVENTS,
                )
            ],
            batch_size=1,  # each may take several calls to Stripe
        )

        reconciler_failures = DeadLetterQueue(self, "ReconcilerFailures", monitoring=monitoring)
        reconciler = ServiceFunction(
            self,
            "Reconciler",
            stage=stage,
            service=SERVICE,
            handler="functions.payments.reconciler.handler",
            timeout=Duration.seconds(120),
            monitoring=monitoring,
            environment=environment,
            memory_mb=WAITING_MB,
            async_failures=reconciler_failures,
        )
        payments.allow(reconciler, "GetItem", "PutItem")
        payments.allow_query(reconciler, index="unsettled")
        Recurring(
            self,
            "EveryFiveMinutes",
            function=reconciler,
            every=Duration.minutes(5),
            failures=reconciler_failures,
        )

        for caller in (api, webhook, listener, reconciler):
            caller.may_read_secret(self.stripe_keys)

        self.routes = [
            Route("POST /api/payments", api),
            Route("GET /api/payments/{orderId}", api),
            Route("POST /api/payments/webhook", webhook, public=True),
        ]
