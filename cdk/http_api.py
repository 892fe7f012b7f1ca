"""`HttpApi`: the public door, and who asks who is there."""

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.stages import Stage


@dataclass(frozen=True, slots=True)
class Route:
    """One call that a function answers; a public one never sees the authorizer."""

    call: str
    """Method and path, as in `GET /api/tickets/{id}`."""
    function: ServiceFunction
    public: bool = False


class HttpApi(Construct):
    """An API Gateway HTTP API whose routes ask the authorizer first, unless they are public.

    `api` is the API. The authorizer's answer is kept for five minutes for each token.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        authorizer: ServiceFunction,
        routes: Iterable[Route],
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(
            self, "Api", api_name=f"admit-one-{stage.name}", description=f"Admit One ({stage.name})"
        )
        signed_in = authorizers.HttpLambdaAuthorizer(
            "Authorizer",
            authorizer.function,
            response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
            identity_source=["$request.header.Authorization"],
            results_cache_ttl=Duration.minutes(5),
        )
        anyone = apigateway.HttpNoneAuthorizer()
        integration_of: dict[ServiceFunction, integrations.HttpLambdaIntegration] = {}
        for route in routes:
            method, path = route.call.split()
            function = route.function
            if function not in integration_of:
                integration_of[function] = integrations.HttpLambdaIntegration(
                    f"{function.service.title()}{function.node.id}",
                    function.function,
                    # One permission for the whole API: none of its functions minds which of the routes called it.
                    scope_permission_to_route=False,
                )
            self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[method]],
                integration=integration_of[function],
                authorizer=anyone if route.public else signed_in,
            )
