"""Orders: decides which order has a ticket."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.listener import EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.personal_data import PersonalData
from cdk.queues import DeadLetterQueue
from cdk.schedule import RUN_TIMEOUT, Recurring
from cdk.stages import Stage
from cdk.table import NUMBER, Index, ServiceTable
from cdk.work_queue import WorkQueue

SERVICE = "orders"
EXPIRER_CONCURRENCY = 2
"""The least that Lambda accepts: enough to end 100,000 overdue orders within an hour, and too little to slow a sale."""
SUBSCRIPTIONS = [
    EventSubscription(name="TicketsCreated", source="admit-one.tickets", types=("ticket:created",)),
    EventSubscription(name="TicketsRequested", source="admit-one.tickets", types=("ticket:change-requested",)),
    # Excludes changes caused by Orders' own holds. Orders has already accepted edits and withdrawals; they are new to
    # it only if they predate change requests, or come from `make republish` after a restore.
    EventSubscription(
        name="TicketsChanged",
        source="admit-one.tickets",
        types=("ticket:updated",),
        data={"change": ("edited", "withdrawn")},
    ),
    EventSubscription(name="Expiration", source="admit-one.expiration", types=("expiration:completed",)),
    EventSubscription(
        name="Payments",
        source="admit-one.payments",
        types=(
            "payment:authorized",
            "payment:created",
            "payment:failed",
            "payment:partly-refunded",
            "payment:refunded",
        ),
    ),
]


class Orders(Construct):
    """The Orders service: its table, API, listener, and sweep with its expirer. `routes` are its routes.

    `personal_data` answers Auth's questions about a user.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        orders = ServiceTable(
            self,
            "Orders",
            stage=stage,
            service=SERVICE,
            monitoring=monitoring,
            sort_key="sk",
            indexes=[
                Index(name="open", partition_key="openPartition", sort_key="expiresAt", sort_key_type=NUMBER),
                Index(name="due", partition_key="duePartition", sort_key="dueAt", sort_key_type=NUMBER),
            ],
            published_on=bus,
        )
        api = ServiceFunction(
            self,
            "Api",
            stage=stage,
            service=SERVICE,
            handler="functions.orders.api.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            synchronous=True,
            environment={
                "TABLE_NAME": orders.table.table_name,
                "ORDER_WINDOW_SECONDS": str(stage.order_window_seconds),
                "HOLDS_PER_BUYER": str(stage.holds_per_buyer),
                "FEE_PERCENT": stage.fee_percent,
                "FEE_FIXED": stage.fee_fixed,
            },
        )
        orders.allow(api, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")

        self._add_listener(orders, stage, bus, monitoring)
        self._add_sweep(orders, stage=stage, monitoring=monitoring)

        self.personal_data = PersonalData(
            self, "GetItem", "Query", stage=stage, service=SERVICE, table=orders, monitoring=monitoring
        )

        self.routes = [
            # Keeps a rush from using up the account's concurrency; it is served within seconds either way.
            Route("POST /api/orders", api, throttle=Throttle(rate=1000, burst=2000)),
            Route("GET /api/orders", api),
            Route("GET /api/orders/{id}", api),
            Route("DELETE /api/orders/{id}", api),
            Route("POST /api/orders/{id}/refund", api),
            Route("POST /api/orders/{id}/refund-request", api),
        ]

    def _add_listener(self, orders: ServiceTable, stage: Stage, bus: events.IEventBus, monitoring: Monitoring) -> None:
        listener = ServiceFunction(
            self,
            "Listener",
            stage=stage,
            service=SERVICE,
            handler="functions.orders.listener.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            environment={"TABLE_NAME": orders.table.table_name},
        )
        orders.allow(listener, "GetItem", "PutItem", "UpdateItem")
        EventListener(
            self,
            "Events",
            stage=stage,
            function=listener,
            bus=bus,
            monitoring=monitoring,
            subscriptions=SUBSCRIPTIONS,
        )

    def _add_sweep(self, orders: ServiceTable, *, stage: Stage, monitoring: Monitoring) -> None:
        expirer = ServiceFunction(
            self,
            "Expirer",
            stage=stage,
            service=SERVICE,
            handler="functions.orders.expirer.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            environment={"TABLE_NAME": orders.table.table_name},
            is_worker=True,
        )
        orders.allow(expirer, "GetItem", "PutItem", "UpdateItem")
        overdue = WorkQueue(self, "Overdue", function=expirer, monitoring=monitoring, concurrency=EXPIRER_CONCURRENCY)
        failures = DeadLetterQueue(self, "SweepFailures", monitoring=monitoring)
        sweep = ServiceFunction(
            self,
            "Sweep",
            stage=stage,
            service=SERVICE,
            handler="functions.orders.sweep.handler",
            timeout=RUN_TIMEOUT,
            monitoring=monitoring,
            environment={"TABLE_NAME": orders.table.table_name, "OVERDUE_QUEUE_URL": overdue.queue.queue_url},
            async_failures=failures,
        )
        orders.allow_query(sweep, index="open")
        orders.allow_query(sweep, index="due")
        overdue.grant_send(sweep)
        Recurring(self, "EveryFiveMinutes", function=sweep, every=Duration.minutes(5), failures=failures)
