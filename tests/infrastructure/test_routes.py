"""The API's routes, and which of them need the authorizer."""

from typing import Any

from tests.infrastructure.template import Template
from tests.support.routes import PUBLIC, SIGNED_IN


def _with_heads(routes: dict[str, str]) -> dict[str, str]:
    """Add a HEAD route for each GET route, with the same access."""
    return routes | {
        key.replace("GET", "HEAD", 1): function for key, function in routes.items() if key.startswith("GET ")
    }


def _routes(template: Template, *, authorization: str) -> dict[str, str]:
    return {
        route["RouteKey"]: _function(template, route)
        for route in template.all_of("AWS::ApiGatewayV2::Route").values()
        if route["AuthorizationType"] == authorization
    }


def _function(template: Template, route: dict[str, object]) -> str:
    match route["Target"]:
        case {"Fn::Join": ["", ["integrations/", integration]]}:
            return template.name_of_function(template.properties(integration)["IntegrationUri"])
        case other:
            raise AssertionError(f"no integration: {other}")


def test_public_routes_have_no_authorizer(aws: Template) -> None:
    assert _routes(aws, authorization="NONE") == _with_heads(PUBLIC)


def test_all_other_routes_have_the_authorizer(aws: Template) -> None:
    assert _routes(aws, authorization="CUSTOM") == _with_heads(SIGNED_IN)


def test_there_are_no_other_routes(aws: Template) -> None:
    assert len(aws.all_of("AWS::ApiGatewayV2::Route")) == len(_with_heads(PUBLIC | SIGNED_IN))


def test_protected_routes_share_one_authorizer(aws: Template) -> None:
    (authorizer_id,) = aws.all_of("AWS::ApiGatewayV2::Authorizer")
    protected = [
        route for route in aws.all_of("AWS::ApiGatewayV2::Route").values() if route["AuthorizationType"] == "CUSTOM"
    ]
    assert [route["AuthorizerId"] for route in protected] == [{"Ref": authorizer_id}] * len(_with_heads(SIGNED_IN))


def test_authorizer_answers_are_cached_half_a_minute_per_token(aws: Template) -> None:
    (authorizer,) = aws.all_of("AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 30, "an ended session is accepted for a minute at most"
    assert "AuthAuthorizerFunction" in str(authorizer["AuthorizerUri"])


def test_only_this_api_invokes_the_functions_behind_it(aws: Template) -> None:
    permissions = aws.all_of("AWS::Lambda::Permission").values()
    allowed = {
        aws.name_of_function(permission["FunctionName"])
        for permission in permissions
        if permission["Principal"] == "apigateway.amazonaws.com"
    }
    assert allowed == {*PUBLIC.values(), *SIGNED_IN.values(), "auth authorizer"}
    (api_id,) = aws.all_of("AWS::ApiGatewayV2::Api")
    assert all({"Ref": api_id} in permission["SourceArn"]["Fn::Join"][1] for permission in permissions)


def test_expensive_and_public_routes_have_throttles_of_their_own(aws: Template) -> None:
    """Rate and burst. A restore sets them back by hand: docs/operations.md has the same figures."""
    assert _throttles(aws) == {
        "POST /api/users/signup": (50, 100),
        "POST /api/users/signin": (100, 200),
        "POST /api/users/email/verify": (50, 100),
        "POST /api/users/password/forgot": (20, 50),
        "POST /api/users/password/reset": (50, 100),
        "GET /api/users/me/export": (10, 20),
        "HEAD /api/users/me/export": (10, 20),
        "DELETE /api/users/me": (10, 20),
        "GET /api/tickets": (1000, 2000),
        "HEAD /api/tickets": (1000, 2000),
        "GET /api/tickets/{id}": (2000, 4000),
        "HEAD /api/tickets/{id}": (2000, 4000),
        "GET /api/payouts/export": (10, 20),
        "HEAD /api/payouts/export": (10, 20),
        "GET /api/fee": (1000, 2000),
        "HEAD /api/fee": (1000, 2000),
        "POST /api/orders": (1000, 2000),
        "POST /api/payments": (100, 200),
        "GET /api/payments/{orderId}": (500, 1000),
        "HEAD /api/payments/{orderId}": (500, 1000),
        "POST /api/payments/webhook": (200, 400),
        "POST /api/payouts/account": (20, 40),
        "GET /api/payouts/account": (100, 200),
        "HEAD /api/payouts/account": (100, 200),
        "POST /api/payouts/webhook": (20, 40),
    }


def _throttles(template: Template) -> dict[str, tuple[int, int]]:
    (stage,) = template.all_of("AWS::ApiGatewayV2::Stage").values()
    settings: dict[str, Any] = stage["RouteSettings"]
    return {
        route: (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) for route, setting in settings.items()
    }


def test_access_logs_share_one_entry_of_the_accounts_resource_policy(aws: Template) -> None:
    """AWS delivers them itself, and adds an entry for each log group outside this prefix."""
    (stage,) = aws.all_of("AWS::ApiGatewayV2::Stage").values()
    name = aws.properties(stage["AccessLogSettings"]["DestinationArn"])["LogGroupName"]
    assert name["Fn::Join"][1][0].startswith("/aws/vendedlogs/")
    assert {"Ref": "AWS::StackId"} in name["Fn::Join"][1][1]["Fn::Select"][1]["Fn::Split"]
