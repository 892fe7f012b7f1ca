"""Payments: authorises, captures, voids and refunds at Stripe, as Orders decides."""

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_events as events
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.listener import ORDER_EVENTS, EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.personal_data import PersonalData
from cdk.queues import DeadLetterQueue
from cdk.schedule import RUN_TIMEOUT, Recurring
from cdk.stages import Stage
from cdk.table import NUMBER, Index, ServiceTable
from cdk.work_queue import WorkQueue

SERVICE = "payments"
WAITING_MB = 512
"""Memory of functions that mostly wait for Stripe while no user waits: half the price of the default memory."""
OUTLASTS_STRIPE = Duration.hours(24)
"""How long the capture of an order survives an outage of Stripe without an operator."""


class Payments(Construct):
    """The Payments service: its table, API, webhook, listener, and reconciler with its settler.

    `routes` are its routes; `table` is its table; `stripe_keys` is the secret that an operator fills.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._bus, self._monitoring = stage, bus, monitoring
        self.table = ServiceTable(
            self,
            "Payments",
            stage=stage,
            service=SERVICE,
            monitoring=monitoring,
            indexes=[
                Index(
                    name="unsettled",
                    partition_key="unsettledPartition",
                    sort_key="expiresAt",
                    sort_key_type=NUMBER,
                    attributes=["awaitsRefund"],
                ),
                Index(name="by-seller", partition_key="sellerID", sort_key="orderID"),
                Index(name="due-looks", partition_key="lookPartition", sort_key="lookAt", sort_key_type=NUMBER),
            ],
            published_on=bus,
        )
        self.stripe_keys = self._add_stripe_keys()
        self._environment = {
            "TABLE_NAME": self.table.table.table_name,
            "STRIPE_SECRET_ARN": self.stripe_keys.secret_arn,
        }
        if stage.stripe_api_base:
            self._environment["STRIPE_API_BASE"] = stage.stripe_api_base

        api = self._add_api()
        webhook = self._add_webhook()
        listener = self._add_listener()
        settler, due = self._add_settler()
        reconciler = self._add_reconciler(due)
        for caller in (api, webhook, listener, settler, reconciler):
            caller.grant_read_secret(self.stripe_keys)

        self.personal_data = PersonalData(
            self,
            *("GetItem", "BatchGetItem"),
            stage=stage,
            service=SERVICE,
            table=self.table,
            monitoring=monitoring,
        )

        self.routes = [
            # Each call waits for Stripe, which takes 100 calls a second (live mode, unless raised).
            Route("POST /api/payments", api, throttle=Throttle(rate=100, burst=200)),
            Route("GET /api/payments/{orderId}", api, throttle=Throttle(rate=500, burst=1000)),
            # Stripe sends a webhook again if it gets a 429.
            Route(
                "POST /api/payments/webhook", webhook, public=True, direct=True, throttle=Throttle(rate=200, burst=400)
            ),
        ]

    def _add_stripe_keys(self) -> secretsmanager.Secret:
        # Created with empty keys, to be filled by an operator. CloudFormation writes a secret's value only if the value
        # in the template changes. This one never does, so deployments do not overwrite the keys. It contains no secret,
        # so `unsafe_plain_text` is safe here.
        keys = secretsmanager.Secret(
            self,
            "StripeKeys",
            description=f"Admit One ({self._stage.name}): Stripe's keys, as JSON",
            secret_string_value=SecretValue.unsafe_plain_text(
                '{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'
            ),
            removal_policy=RemovalPolicy.RETAIN if self._stage.keep_data else RemovalPolicy.DESTROY,
        )
        suppress(keys, "SMG4", "Only Stripe can create its keys; operators rotate them there.")
        return keys

    def _add_api(self) -> ServiceFunction:
        api = ServiceFunction(
            self,
            "Api",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.api.handler",
            timeout=Duration.seconds(29),  # an HTTP API times out after 30
            monitoring=self._monitoring,
            synchronous=True,
            environment=self._environment,
        )
        self.table.allow(api, "GetItem", "PutItem", "UpdateItem", "DeleteItem")
        return api

    def _add_webhook(self) -> ServiceFunction:
        webhook = ServiceFunction(
            self,
            "Webhook",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.webhook.handler",
            timeout=Duration.seconds(29),
            monitoring=self._monitoring,
            synchronous=True,
            environment=self._environment,
            memory_mb=WAITING_MB,
        )
        self.table.allow(webhook, "GetItem", "PutItem", "UpdateItem")
        return webhook

    def _add_listener(self) -> ServiceFunction:
        listener = ServiceFunction(
            self,
            "Listener",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.listener.handler",
            timeout=Duration.seconds(30),
            monitoring=self._monitoring,
            environment=self._environment | {"PAYOUT_HOLD_SECONDS": str(self._stage.payout_hold_seconds)},
            memory_mb=WAITING_MB,
        )
        self.table.allow(listener, "GetItem", "PutItem", "UpdateItem")
        EventListener(
            self,
            "Events",
            stage=self._stage,
            function=listener,
            bus=self._bus,
            monitoring=self._monitoring,
            subscriptions=[
                EventSubscription(
                    name="Orders",
                    source="admit-one.orders",
                    types=ORDER_EVENTS,
                )
            ],
            batch_size=1,  # each message may take several calls to Stripe
            retry_for=OUTLASTS_STRIPE,
        )
        return listener

    def _add_settler(self) -> tuple[ServiceFunction, WorkQueue]:
        settler = ServiceFunction(
            self,
            "Settler",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.settler.handler",
            timeout=Duration.seconds(30),
            monitoring=self._monitoring,
            environment=self._environment,
            memory_mb=WAITING_MB,
            is_worker=True,
        )
        self.table.allow(settler, "GetItem", "PutItem")
        due = WorkQueue(
            self,
            "Due",
            function=settler,
            monitoring=self._monitoring,
            concurrency=self._stage.settler_concurrency,
            batch_size=1,
            retry_for=OUTLASTS_STRIPE,
        )
        return settler, due

    def _add_reconciler(self, due: WorkQueue) -> ServiceFunction:
        failures = DeadLetterQueue(self, "ReconcilerFailures", monitoring=self._monitoring)
        reconciler = ServiceFunction(
            self,
            "Reconciler",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.reconciler.handler",
            timeout=RUN_TIMEOUT,
            monitoring=self._monitoring,
            environment=self._environment | {"DUE_QUEUE_URL": due.queue.queue_url},
            memory_mb=WAITING_MB,
            async_failures=failures,
        )
        self.table.allow(reconciler, "GetItem", "PutItem")
        self.table.allow_query(reconciler, index="unsettled")
        due.grant_send(reconciler)
        Recurring(self, "EveryFiveMinutes", function=reconciler, every=Duration.minutes(5), failures=failures)
        return reconciler
