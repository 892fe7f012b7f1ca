"""The CDK app: the stacks of one stage."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aws_cdk

from cdk.firewall import FirewallStack
from cdk.stack import AdmitOneStack
from cdk.stages import find_stage


def build(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> aws_cdk.App:
    """Return the app for the stage in the context. Raises ValueError for invalid settings.

    The settings of a stage are in `stages/<stage>.toml`. The context has only what a file cannot know:

    | context | |
    |---|---|
    | `stage` | name of the stage; default `dev` |
    | `webAclArn` | the web ACL in the stack `AdmitOneFirewall-<stage>`, from its output: `make deploy` passes it |
    | `orderWindowSeconds` | how long an order holds its ticket: `make run` passes it |
    | `stripeApiBase` | stage `local` only: URL of a Stripe emulator |
    | `publicOrigin` | stage `local` only: address of the edge proxy |

    A stage with a firewall is only complete with its web ACL. Without it, the app has the firewall's stack alone.
    """
    app = aws_cdk.App(context=context, outdir=outdir)
    window = app.node.try_get_context("orderWindowSeconds")
    stage = find_stage(
        app.node.try_get_context("stage") or "dev",
        order_window_seconds=None if window is None else int(window),
        stripe_api_base=app.node.try_get_context("stripeApiBase"),
        public_origin=app.node.try_get_context("publicOrigin"),
    )
    if stage.firewall:
        FirewallStack(app, f"AdmitOneFirewall-{stage.name}", stage=stage)
        stage = replace(stage, web_acl_arn=app.node.try_get_context("webAclArn"))
    if not stage.firewall or stage.web_acl_arn:
        AdmitOneStack(app, f"AdmitOne-{stage.name}", stage=stage)
    return app
