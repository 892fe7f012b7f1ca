"""`FirewallStack`: a separate stack, because WAF for CloudFront must be in us-east-1."""

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from cdk.stages import Stage

REGION = "us-east-1"
ALL_CALLS = 3000
SIGN_INS = 100
"""Both limits: requests from one address in any five minutes."""


class FirewallStack(Stack):
    """A web ACL that limits the request rate of each address.

    API Gateway's throttles are shared by all callers, so without this one machine can use up the limit of the sign-in
    route. `make deploy` deploys it before the stage, and hands the output `WebAclArn` on to the stage's stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            env=Environment(region=REGION),
            description=f"Admit One's web application firewall ({stage.name})",
        )
        acl = waf.CfnWebACL(
            self,
            "WebAcl",
            scope="CLOUDFRONT",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible("all"),
            rules=[
                _at_most(SIGN_INS, name="sign-ins", priority=0, path="/api/users/sign"),
                _at_most(ALL_CALLS, name="calls", priority=1, path="/api/"),
            ],
        )
        CfnOutput(self, "WebAclArn", value=acl.attr_arn, description="The web ACL of the stage's distribution")


def _at_most(number: int, *, name: str, priority: int, path: str) -> waf.CfnWebACL.RuleProperty:
    """Block an address while it exceeds `number` requests in five minutes to paths that start with `path`."""
    begins = waf.CfnWebACL.StatementProperty(
        byte_match_statement=waf.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="STARTS_WITH",
            search_string=path,
            text_transformations=[waf.CfnWebACL.TextTransformationProperty(priority=0, type="NORMALIZE_PATH")],
        )
    )
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=number, evaluation_window_sec=300, scope_down_statement=begins
            )
        ),
        visibility_config=_visible(name),
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
