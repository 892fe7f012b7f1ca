"""The stack: five services around one bus, behind one API."""

from aws_cdk import CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.auth import Auth
from cdk.edge import Edge
from cdk.expiration import Expiration
from cdk.http_api import HttpApi
from cdk.monitoring import Monitoring
from cdk.orders import Orders
from cdk.payments import Payments
from cdk.stages import Stage
from cdk.tickets import Tickets

EVENTS_KEPT = Duration.days(30)


class AdmitOneStack(Stack):
    """Admit One, whole, as one stage of it is deployed."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Admit One, a ticket marketplace ({stage.name})",
            termination_protection=stage.keep_data,
        )
        monitoring = Monitoring(self, "Monitoring", stage=stage)
        bus = events.EventBus(self, "Bus")
        if stage.has_event_archive:
            # Whatever was told can be told again to all consumers or to one: they drop what they have had.
            bus.archive(
                "Archive",
                event_pattern=events.EventPattern(source=events.Match.prefix("admit-one.")),
                retention=EVENTS_KEPT,
            )
        auth = Auth(self, "Auth", stage=stage, monitoring=monitoring)
        tickets = Tickets(self, "Tickets", stage=stage, bus=bus, monitoring=monitoring)
        orders = Orders(self, "Orders", stage=stage, bus=bus, monitoring=monitoring)
        Expiration(self, "Expiration", stage=stage, bus=bus, monitoring=monitoring)
        payments = Payments(self, "Payments", stage=stage, bus=bus, monitoring=monitoring)
        api = HttpApi(
            self,
            "Api",
            stage=stage,
            authorizer=auth.authorizer,
            routes=[*auth.routes, *tickets.routes, *orders.routes, *payments.routes],
        )
        monitoring.complete(api.api)
        if stage.has_edge:
            edge = Edge(self, "Edge", stage=stage, api=api.api, proof=auth.edge_proof)
            CfnOutput(self, "Url", value=edge.url, description="Where people go")
        Tags.of(self).add("application", "admit-one")
        Tags.of(self).add("stage", stage.name)

        CfnOutput(self, "ApiUrl", value=api.api.api_endpoint, description="Where the API answers, Stripe's webhook too")
        CfnOutput(self, "ApiId", value=api.api.http_api_id, description="The API's id")
        CfnOutput(
            self, "EdgeSecretName", value=auth.edge_proof.secret_arn, description="What the edge shows to the API"
        )
        CfnOutput(
            self,
            "StripeSecretName",
            value=payments.stripe_keys.secret_arn,
            description="Where Stripe's keys go: `aws secretsmanager put-secret-value --secret-id`",
        )
        CfnOutput(
            self,
            "RollbackAlarms",
            value=",".join(alarm.alarm_arn for alarm in monitoring.rollback_alarms),
            description="The alarms by which a deployment of a watched stage is taken back",
        )
