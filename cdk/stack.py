"""The stack: five services around one bus, behind one API."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_events as events
from constructs import Construct

from cdk.auth import Auth
from cdk.expiration import Expiration
from cdk.http_api import HttpApi
from cdk.orders import Orders
from cdk.payments import Payments
from cdk.stages import Stage
from cdk.tickets import Tickets


class AdmitOneStack(Stack):
    """Admit One, whole, as one stage of it is deployed."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id, description=f"Admit One, a ticket marketplace ({stage.name})")
        bus = events.EventBus(self, "Bus")
        auth = Auth(self, "Auth", stage=stage)
        tickets = Tickets(self, "Tickets", stage=stage, bus=bus)
        orders = Orders(self, "Orders", stage=stage, bus=bus)
        Expiration(self, "Expiration", stage=stage, bus=bus)
        payments = Payments(self, "Payments", stage=stage, bus=bus)
        api = HttpApi(
            self,
            "Api",
            stage=stage,
            authorizer=auth.authorizer,
            routes=[*auth.routes, *tickets.routes, *orders.routes, *payments.routes],
        )

        CfnOutput(self, "ApiUrl", value=api.api.api_endpoint, description="Where the API answers")
        CfnOutput(self, "ApiId", value=api.api.http_api_id, description="The API's id")
        CfnOutput(
            self,
            "StripeSecretName",
            value=payments.stripe_keys.secret_arn,
            description="Where Stripe's keys go: `aws secretsmanager put-secret-value --secret-id`",
        )
