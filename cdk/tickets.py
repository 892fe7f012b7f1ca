"""Tickets: the catalogue of tickets and their status."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route, Throttle
from cdk.listener import ORDER_EVENTS, EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.personal_data import PersonalData
from cdk.stages import Stage
from cdk.table import Index, ServiceTable

SERVICE = "tickets"

# Many read the tickets on sale, so that index has what the list shows. Sellers read theirs rarely: that index has keys
# only, so that a change of a ticket is no write to it, and the list reads the tickets themselves.
INDEXES = [
    Index(
        name="on-sale",
        partition_key="onSalePartition",
        sort_key="id",
        attributes=(
            *("userID", "title", "price", "currency", "version", "createdAt"),
            *("holdOrderID", "holdExpiresAt", "soldAt", "withdrawnAt"),
        ),
    ),
    Index(name="by-seller", partition_key="userID", sort_key="id"),
]


class Tickets(Construct):
    """The Tickets service: its table, API and listener. `routes` are its routes.

    `personal_data` answers Auth's questions about a user.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, bus: events.IEventBus, monitoring: Monitoring
    ) -> None:
        super().__init__(scope, construct_id)
        tickets = ServiceTable(
            self,
            "Tickets",
            stage=stage,
            service=SERVICE,
            monitoring=monitoring,
            indexes=INDEXES,
            published_on=bus,
        )

        api = ServiceFunction(
            self,
            "Api",
            stage=stage,
            service=SERVICE,
            handler="functions.tickets.api.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            synchronous=True,
            environment={
                "TABLE_NAME": tickets.table.table_name,
                "CURRENCY": stage.currency,
                "FEE_PERCENT": stage.fee_percent,
                "FEE_FIXED": stage.fee_fixed,
            },
        )
        tickets.allow(api, "GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        tickets.allow_query(api, index="on-sale")
        tickets.allow_query(api, index="by-seller")

        self._add_listener(tickets, stage, bus, monitoring)
        self.personal_data = PersonalData(
            self,
            "GetItem",
            "BatchGetItem",
            "PutItem",
            stage=stage,
            service=SERVICE,
            table=tickets,
            monitoring=monitoring,
        )
        tickets.allow_query(self.personal_data, index="by-seller")

        self.routes = [
            # The edge answers most of these from its cache (cdk/edge.py). The throttles leave the account's rate to
            # orders if requests pass the cache by: for many tickets at once, or because they ask for it.
            Route("GET /api/tickets", api, public=True, throttle=Throttle(rate=1000, burst=2000)),
            Route("GET /api/tickets/{id}", api, public=True, throttle=Throttle(rate=2000, burst=4000)),
            Route("GET /api/fee", api, public=True, throttle=Throttle(rate=1000, burst=2000)),
            Route("GET /api/tickets/mine", api),
            Route("POST /api/tickets", api),
            Route("PUT /api/tickets/{id}", api),
            Route("DELETE /api/tickets/{id}", api),
            Route("POST /api/tickets/{id}/relist", api),
        ]

    def _add_listener(self, tickets: ServiceTable, stage: Stage, bus: events.IEventBus, monitoring: Monitoring) -> None:
        listener = ServiceFunction(
            self,
            "Listener",
            stage=stage,
            service=SERVICE,
            handler="functions.tickets.listener.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            environment={"TABLE_NAME": tickets.table.table_name},
        )
        tickets.allow(listener, "GetItem", "PutItem")
        EventListener(
            self,
            "Events",
            stage=stage,
            function=listener,
            bus=bus,
            monitoring=monitoring,
            subscriptions=[
                EventSubscription(
                    name="Orders",
                    source="admit-one.orders",
                    types=(*ORDER_EVENTS, "ticket:change-accepted", "ticket:change-declined"),
                )
            ],
        )
