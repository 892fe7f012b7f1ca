"""The stack: five services that share one event bus and one API."""

from aws_cdk import CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.auth import Auth
from cdk.edge import Edge
from cdk.expiration import Expiration
from cdk.function import ServiceFunction
from cdk.http_api import HttpApi
from cdk.monitoring import Monitoring
from cdk.orders import Orders
from cdk.payments import Payments
from cdk.payouts import Payouts
from cdk.stages import Stage
from cdk.tickets import Tickets

EVENTS_KEPT = Duration.days(30)


class AdmitOneStack(Stack):
    """All resources of one stage, without the firewall."""

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
            # Archived events can be replayed to all consumers or to one: consumers ignore events they have processed.
            bus.archive(
                "Archive",
                event_pattern=events.EventPattern(source=events.Match.prefix("admit-one.")),
                retention=EVENTS_KEPT,
            )
        auth = Auth(self, "Auth", stage=stage, bus=bus, monitoring=monitoring)
        tickets = Tickets(self, "Tickets", stage=stage, bus=bus, monitoring=monitoring)
        orders = Orders(self, "Orders", stage=stage, bus=bus, monitoring=monitoring)
        Expiration(self, "Expiration", stage=stage, bus=bus, monitoring=monitoring)
        payments = Payments(self, "Payments", stage=stage, bus=bus, monitoring=monitoring)
        payouts = Payouts(payments, "Payouts", stage=stage, table=payments.table, monitoring=monitoring)
        auth.set_personal_data(
            tickets=tickets.personal_data, orders=orders.personal_data, payments=payments.personal_data
        )
        api = HttpApi(
            self,
            "Api",
            stage=stage,
            authorizer=auth.authorizer,
            edge_proof=auth.edge_proof,
            routes=[*auth.routes, *tickets.routes, *orders.routes, *payments.routes, *payouts.routes],
        )
        monitoring.complete(api.api)
        if stage.has_edge:
            edge = Edge(self, "Edge", stage=stage, api=api.api, proof=auth.edge_proof)
            auth.set_public_origin(edge.url)
            payouts.set_public_origin(edge.url)
            CfnOutput(self, "Url", value=edge.url, description="Address of the web client")
        if stage.public_origin:
            auth.set_public_origin(stage.public_origin)
            payouts.set_public_origin(stage.public_origin)
        _check_reservations(self, stage)
        Tags.of(self).add("application", "admit-one")
        Tags.of(self).add("stage", stage.name)
        self._add_outputs(api=api, auth=auth, payments=payments, payouts=payouts, monitoring=monitoring)

    def _add_outputs(
        self, *, api: HttpApi, auth: Auth, payments: Payments, payouts: Payouts, monitoring: Monitoring
    ) -> None:
        CfnOutput(
            self, "ApiUrl", value=api.api.api_endpoint, description="Address of the API, also for Stripe's webhook"
        )
        CfnOutput(self, "ApiId", value=api.api.http_api_id, description="Id of the API")
        CfnOutput(
            self,
            "EdgeSecretName",
            value=auth.edge_proof.secret_arn,
            description="Secret sent by the edge to the API",
        )
        CfnOutput(
            self,
            "StripeSecretName",
            value=payments.stripe_keys.secret_arn,
            description="Secret for Stripe's keys; set it with `aws secretsmanager put-secret-value`",
        )
        CfnOutput(
            self,
            "PayoutSecretName",
            value=payouts.keys.secret_arn,
            description="Secret for Stripe's key for sellers' money; set it like the other one",
        )
        CfnOutput(
            self,
            "RollbackAlarms",
            value=",".join(alarm.alarm_arn for alarm in monitoring.rollback_alarms),
            description="Alarms that roll back a deployment",
        )


def _check_reservations(stack: Stack, stage: Stage) -> None:
    functions = {each.name for each in stack.node.find_all() if isinstance(each, ServiceFunction)}
    if unknown := stage.reserved_concurrency.keys() - functions:
        raise ValueError(f"reserved_concurrency: no function is named {', '.join(sorted(unknown))}")
