"""`HttpApi`: the public door, and who asks who is there."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.acknowledged import acknowledge
from cdk.function import ServiceFunction
from cdk.stages import Stage

# Who called is not in it, and not what they asked for by id: the request's id leads to the functions' own lines.
ACCESS_LOG = {
    "time": "$context.requestTime",
    "requestId": "$context.requestId",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "functionMilliseconds": "$context.integrationLatency",
    "functionStatus": "$context.integrationStatus",
    "bytes": "$context.responseLength",
    "error": "$context.error.responseType",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """So many requests a second, and so many at once, of all callers together."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Route:
    """One call that a function answers; a public one never sees the authorizer.

    What has no throttle of its own has the account's: 10,000 a second and 5,000 at once, unless it was changed.
    """

    call: str
    """Method and path, as in `GET /api/tickets/{id}`; GET includes HEAD."""
    function: ServiceFunction
    public: bool = False
    throttle: Throttle | None = None


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
        deployed = self.api.default_stage
        assert deployed, "the API makes its own stage"  # noqa: S101  # for the types
        settings = deployed.node.default_child
        assert isinstance(settings, apigateway.CfnStage)  # noqa: S101  # for the types
        throttles: dict[str, object] = {}
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
            # What answers GET answers HEAD too, as uptime checks ask; API Gateway does not do that by itself.
            methods = ["GET", "HEAD"] if method == "GET" else [method]
            all_made = self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[each] for each in methods],
                integration=integration_of[function],
                authorizer=anyone if route.public else signed_in,
            )
            for made, its_method in zip(all_made, methods, strict=True):
                if route.public:
                    acknowledge(made, "APIG4", "Public by contract: it takes no user, or is signed by Stripe.")
                if route.throttle:
                    throttles[f"{its_method} {path}"] = {
                        "ThrottlingRateLimit": route.throttle.rate,
                        "ThrottlingBurstLimit": route.throttle.burst,
                    }
                    deployed.node.add_dependency(made)  # API Gateway knows no settings for routes that are yet to come
        settings.route_settings = throttles

        access = logs.LogGroup(
            self,
            "AccessLogs",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
        settings.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access.log_group_arn, format=json.dumps(ACCESS_LOG)
        )
