"""Payments: authorises, captures, voids and refunds at Stripe, as Orders decides."""

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route
from cdk.listener import ORDER_EVENTS, EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.queues import DeadLetterQueue
from cdk.schedule import Recurring
from cdk.stages import Stage
from cdk.table import NUMBER, Index, ServiceTable

SERVICE = "payments"
WAITING_MB = 512
"""Memory of functions that mostly wait for Stripe while no user waits: half the price of the default memory."""


class Payments(Construct):
    """The Payments service: its table, API, webhook, listener and reconciler.

    `routes` are its routes; `stripe_keys` is the secret that an operator fills.
    """

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
        # Created with empty keys, to be filled by an operator. CloudFormation writes a secret's value only if the value
        # in the template changes. This one never does, so deployments do not overwrite the keys. It contains no secret,
        # so `unsafe_plain_text` is safe here.
        self.stripe_keys = secretsmanager.Secret(
            self,
            "StripeKeys",
            description=f"Admit One ({stage.name}): Stripe's keys, as JSON",
            secret_string_value=SecretValue.unsafe_plain_text(
                '{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'
            ),
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        suppress(self.stripe_keys, "SMG4", "Only Stripe can create its keys; operators rotate them there.")
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
            timeout=Duration.seconds(29),  # an HTTP API times out after 30
            monitoring=monitoring,
            synchronous=True,
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
            synchronous=True,
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
            subscriptions=[
                EventSubscription(
                    name="Orders",
                    source="admit-one.orders",
                    types=ORDER_EVENTS,
                )
            ],
            batch_size=1,  # each message may take several calls to Stripe
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
