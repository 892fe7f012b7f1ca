"""Tickets: what is on sale, and what became of it."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.http_api import Route
from cdk.listener import ORDER_EVENTS, EventListener, Wanted
from cdk.monitoring import Monitoring
from cdk.stages import Stage
from cdk.table import Index, ServiceTable

SERVICE = "tickets"

# What a list shows of a ticket, so that listing never reads the table itself. `id` is the indexes' own sort key.
LISTED = (
    "title",
    "price",
    "currency",
    "version",
    "createdAt",
    "holdOrderID",
    "holdExpiresAt",
    "soldAt",
    "withdrawnAt",
)


class Tickets(Construct):
    """`routes` are the calls that the service answers."""

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
            indexes=[
                Index(
                    name="on-sale",
                    partition_key="onSalePartition",
                    sort_key="id",
                    attributes=("userID", *LISTED),
                ),
                Index(
                    name="by-seller", partition_key="userID", sort_key="id", attributes=(*LISTED, "refund", "pending")
                ),
            ],
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
            attended=True,
            environment={"TABLE_NAME": tickets.table.table_name, "CURRENCY": stage.currency},
        )
        tickets.allow(api, "GetItem", "PutItem", "UpdateItem", "DeleteItem")
        tickets.allow_query(api, index="on-sale")
        tickets.allow_query(api, index="by-seller")

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
            function=listener,
            bus=bus,
            monitoring=monitoring,
            wanted=[
                Wanted(
                    name="Orders",
                    source="admit-one.orders",
                    types=(*ORDER_EVENTS, "ticket:change-accepted", "ticket:change-declined"),
                )
            ],
        )

        self.routes = [
            Route("GET /api/tickets", api, public=True),
            Route("GET /api/tickets/{id}", api, public=True),
            Route("GET /api/tickets/mine", api),
            Route("POST /api/tickets", api),
            Route("PUT /api/tickets/{id}", api),
            Route("DELETE /api/tickets/{id}", api),
        ]
