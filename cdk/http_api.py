"""`HttpApi`: the API Gateway HTTP API with its routes, throttles, authorizer and access log."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.nag_suppressions import suppress
from cdk.stages import Stage

# Contains no caller and no resource ids. `requestId` identifies the lines in the functions' logs.
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
    """The rate (requests per second) and burst limits of a route, shared by all callers."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Route:
    """A route and the function that handles it. A public route has no authorizer.

    All routes of a function with a `direct` one can be called without the edge, by Stripe.

    Without a throttle the account's limits apply: 10,000 requests per second, burst 5,000, unless changed.
    """

    call: str
    """Method and path, such as `GET /api/tickets/{id}`; GET includes HEAD."""
    function: ServiceFunction
    public: bool = False
    direct: bool = False
    throttle: Throttle | None = None


class HttpApi(Construct):
    """An API Gateway HTTP API whose routes use the authorizer, unless they are public.

    `api` is the API. The authorizer's result is cached for half a minute per token.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        authorizer: ServiceFunction,
        routes: Iterable[Route],
        edge_proof: secretsmanager.ISecret,
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
            results_cache_ttl=Duration.seconds(30),  # how long a session that was ended is still accepted
        )
        anyone = apigateway.HttpNoneAuthorizer()
        deployed = self.api.default_stage
        assert deployed, "the API creates a default stage"  # noqa: S101  # for the types
        settings = deployed.node.default_child
        assert isinstance(settings, apigateway.CfnStage)  # noqa: S101  # for the types
        throttles: dict[str, object] = {}
        integration_of: dict[ServiceFunction, integrations.HttpLambdaIntegration] = {}
        for route in routes:
            method, path = route.call.split()
            function = route.function
            if function not in integration_of:
                if stage.require_edge and not route.direct:
                    # CloudFormation resolves the secret, as for CloudFront, whose settings show it to operators too.
                    # Reading it from Secrets Manager would delay each cold start by a call and a client.
                    function.function.add_environment("EDGE_PROOF", edge_proof.secret_value.unsafe_unwrap())
                integration_of[function] = integrations.HttpLambdaIntegration(
                    f"{function.service.title()}{function.node.id}",
                    function.function,
                    # One permission for the whole API: the functions do not restrict which route may call them.
                    scope_permission_to_route=False,
                )
            # GET routes also answer HEAD, which uptime checks send; API Gateway does not add it by itself.
            methods = ["GET", "HEAD"] if method == "GET" else [method]
            all_made = self.api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod[each] for each in methods],
                integration=integration_of[function],
                authorizer=anyone if route.public else signed_in,
            )
            for made, its_method in zip(all_made, methods, strict=True):
                if route.public:
                    suppress(made, "APIG4", "Public by contract: needs no user, or is signed by Stripe.")
                if route.throttle:
                    throttles[f"{its_method} {path}"] = {
                        "ThrottlingRateLimit": route.throttle.rate,
                        "ThrottlingBurstLimit": route.throttle.burst,
                    }
                    deployed.node.add_dependency(made)  # API Gateway rejects settings for missing routes
        settings.route_settings = throttles

        settings.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=self._add_access_logs(stage).log_group_arn, format=json.dumps(ACCESS_LOG)
        )

    def _add_access_logs(self, stage: Stage) -> logs.LogGroup:
        # AWS adds each log group that it delivers to, to a resource policy of the account, of at most 5,120 characters.
        # Groups with this prefix share one entry (CloudWatch Logs User Guide, "Logs sent to CloudWatch Logs"). The
        # stack's id makes the name unique: a group that was kept must not block the stage's next stack.
        stack_id = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        return logs.LogGroup(
            self,
            "AccessLogs",
            log_group_name=f"/aws/vendedlogs/apigateway/admit-one-{stage.name}-{stack_id}",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
        )
