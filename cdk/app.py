"""The app: one stack for one stage."""

from collections.abc import Mapping
from typing import Any

import aws_cdk

from cdk.firewall import FirewallStack
from cdk.stack import AdmitOneStack
from cdk.stages import find_stage


def build(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> aws_cdk.App:
    """The app for the stage that the context names.

    | context | |
    |---|---|
    | `stage` | `dev` if absent |
    | `orderWindowSeconds` | how long an order holds its ticket, in place of the stage's 300 |
    | `stripeApiBase` | local stages only: another address for Stripe's API |
    | `alarmEmail` | who is written to when an alarm goes off, in place of the stage's |
    | `domainName`, `certificateArn` | where people go, and the certificate for it, in us-east-1 |
    | `webAclArn` | the firewall before CloudFront |
    | `firewall` | makes such a firewall, as a stack of its own in us-east-1: `AdmitOneFirewall-<stage>` |
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
