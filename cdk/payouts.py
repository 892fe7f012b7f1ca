"""Payouts: sellers' accounts at Stripe, and the only key that can move money to them."""

from aws_cdk import Duration, RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.monitoring import Monitoring
from cdk.nag_suppressions import suppress
from cdk.payments import SERVICE, WAITING_MB
from cdk.queues import DeadLetterQueue
from cdk.schedule import RUN_TIMEOUT, Recurring
from cdk.stages import Stage
from cdk.table import ServiceTable
from cdk.work_queue import WorkQueue


class Payouts(Construct):
    """The functions of Payments that may use the key for sellers' money, and the finder of what is due.

    They are the API of sellers, the webhook of their accounts, and the worker, which alone moves money to them.

    `routes` are their routes; `keys` is the secret that an operator fills. `table` is that of Payments.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        table: ServiceTable,
        monitoring: Monitoring,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._table, self._monitoring = stage, table, monitoring
        self.keys = self._add_keys()
        self._environment = {
            "TABLE_NAME": table.table.table_name,
            "PAYOUT_SECRET_ARN": self.keys.secret_arn,
        }
        if stage.stripe_api_base:
            self._environment["STRIPE_API_BASE"] = stage.stripe_api_base

        self._api = self._add_function("Api", "payouts_api")
        self._api.function.add_environment("CURRENCY", stage.currency)
        webhook = self._add_function("Webhook", "payouts_webhook", memory_mb=WAITING_MB)
        table.allow(self._api, "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        table.allow_query(self._api, index="by-seller")
        table.allow(webhook, "GetItem", "UpdateItem")
        worker, looks = self._add_worker()
        self._add_finder(looks)
        for caller in (self._api, webhook, worker):
            caller.grant_read_secret(self.keys)

        self.routes = [
            # Each call waits for Stripe, which takes 25 calls a second to one endpoint.
            Route("POST /api/payouts/account", self._api, throttle=Throttle(rate=20, burst=40)),
            Route("GET /api/payouts/account", self._api, throttle=Throttle(rate=100, burst=200)),
            Route("GET /api/payouts", self._api),
            # Up to 50 calls to DynamoDB, and 3 MB, for one request.
            Route("GET /api/payouts/export", self._api, throttle=Throttle(rate=10, burst=20)),
            # Stripe sends a webhook again if it gets a 429.
            Route("POST /api/payouts/webhook", webhook, public=True, direct=True, throttle=Throttle(rate=20, burst=40)),
        ]

    def set_public_origin(self, origin: str) -> None:
        """Set the address of the client, to which Stripe's onboarding pages lead back."""
        self._api.function.add_environment("PUBLIC_ORIGIN", origin)

    def _add_keys(self) -> secretsmanager.Secret:
        # Created with empty keys, which deployments do not overwrite, as `StripeKeys` in `cdk/payments.py`.
        keys = secretsmanager.Secret(
            self,
            "PayoutKeys",
            description=f"Admit One ({self._stage.name}): Stripe's key for sellers' money, as JSON",
            secret_string_value=SecretValue.unsafe_plain_text('{"secretKey": "", "connectWebhookSecret": ""}'),
            removal_policy=RemovalPolicy.RETAIN if self._stage.keep_data else RemovalPolicy.DESTROY,
        )
        suppress(keys, "SMG4", "Only Stripe can create its keys; operators rotate them there.")
        return keys

    def _add_function(self, construct_id: str, module: str, *, memory_mb: int = 1024) -> ServiceFunction:
        return ServiceFunction(
            self,
            construct_id,
            stage=self._stage,
            service=SERVICE,
            handler=f"functions.payments.{module}.handler",
            timeout=Duration.seconds(29),  # an HTTP API times out after 30
            monitoring=self._monitoring,
            synchronous=True,
            environment=self._environment,
            memory_mb=memory_mb,
        )

    def _add_worker(self) -> tuple[ServiceFunction, WorkQueue]:
        worker = ServiceFunction(
            self,
            "Worker",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.payout_worker.handler",
            timeout=Duration.seconds(30),  # well within the lease of an operation
            monitoring=self._monitoring,
            environment=self._environment,
            memory_mb=WAITING_MB,
            is_worker=True,
        )
        self._table.allow(worker, "GetItem", "PutItem", "UpdateItem")
        self._table.allow_query(worker, index="due-looks")
        looks = WorkQueue(
            self,
            "Looks",
            function=worker,
            monitoring=self._monitoring,
            concurrency=self._stage.settler_concurrency,
            batch_size=1,
        )
        looks.grant_send(worker)
        worker.function.add_environment("PAYOUT_QUEUE_URL", looks.queue.queue_url)
        return worker, looks

    def _add_finder(self, looks: WorkQueue) -> None:
        failures = DeadLetterQueue(self, "FinderFailures", monitoring=self._monitoring)
        finder = ServiceFunction(
            self,
            "Finder",
            stage=self._stage,
            service=SERVICE,
            handler="functions.payments.payout_finder.handler",
            timeout=RUN_TIMEOUT,
            monitoring=self._monitoring,
            environment={
                "TABLE_NAME": self._environment["TABLE_NAME"],
                "PAYOUT_QUEUE_URL": looks.queue.queue_url,
            },
            memory_mb=WAITING_MB,
            async_failures=failures,
            is_worker=True,  # its alarms roll no deployment back
        )
        self._table.allow(finder, "GetItem", "PutItem")
        self._table.allow_query(finder, index="due-looks")
        looks.grant_send(finder)
        every = Duration.minutes(self._stage.payout_run_minutes)
        Recurring(self, "FinderRuns", function=finder, every=every, failures=failures)
