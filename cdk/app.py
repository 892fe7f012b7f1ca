"""The CDK app: the stack of one stage."""

from collections.abc import Mapping
from typing import Any

import aws_cdk

from cdk.firewall import FirewallStack
from cdk.stack import AdmitOneStack
from cdk.stages import find_stage


def build(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> aws_cdk.App:
    """Return the app for the stage in the context. Raises ValueError for invalid settings.

    | context | |
    |---|---|
    | `stage` | name of the stage; default `dev` |
    | `orderWindowSeconds` | how long an order holds its ticket, 1 to 86,400 seconds; default 300 |
    | `stripeApiBase` | stage `local` only: URL of a Stripe emulator |
    | `alarmEmail` | recipient of alarm e-mails |
    | `domainName`, `certificateArn` | custom domain, and its certificate in us-east-1 |
    | `webAclArn` | web ACL for CloudFront |
    | `firewall` | if set, also creates such a web ACL, in the stack `AdmitOneFirewall-<stage>` in us-east-1 |
    """
    app = aws_cdk.App(context=context, outdir=outdir)
    window = app.node.try_get_context("orderWindowSeconds")
    stage = find_stage(
        app.node.try_get_context("stage") or "dev",
        order_window_seconds=None if window is None else int(window),
        stripe_api_base=app.node.try_get_context("stripeApiBase"),
        alarm_email=app.node.try_get_context("alarmEmail"),
        domain_name=app.node.try_get_context("domainName"),
        certificate_arn=app.node.try_get_context("certificateArn"),
        web_acl_arn=app.node.try_get_context("webAclArn"),
    )
    AdmitOneStack(app, f"AdmitOne-{stage.name}", stage=stage)
    if app.node.try_get_context("firewall"):
        FirewallStack(app, f"AdmitOneFirewall-{stage.name}", stage=stage)
    return app
