"""The stages and their settings.

Features that the local AWS lacks depend on `Stage.local`, through the properties defined here only.
"""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aws_cdk.aws_logs import RetentionDays

from cdk.bundle import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One deployment of the whole application."""

    name: str
    local: bool = False
    """Deployed to the local AWS, which runs functions on this machine."""
    keep_data: bool = False
    """Tables, secrets and logs outlive the stack, and tables are protected against deletion."""
    currency: str = "usd"
    order_window_seconds: int = 300
    log_retention: RetentionDays = RetentionDays.TWO_WEEKS
    stripe_api_base: str | None = None
    """The URL of an emulator of Stripe's API; None for Stripe itself."""
    alarm_email: str | None = None
    """The recipient of alarm e-mails, who must confirm the SNS subscription once, by the link in the first e-mail."""
    domain_name: str | None = None
    """A custom domain for CloudFront. Its DNS record, pointing to the distribution, is not part of the stack."""
    certificate_arn: str | None = None
    """The domain's certificate. CloudFront requires it in us-east-1."""
    web_acl_arn: str | None = None
    """An optional web ACL for CloudFront; `cdk/firewall.py` creates one."""
    listener_concurrency: int = 2
    """How many batches of each of the four event queues are processed at once, 2 (the least that Lambda accepts) to
    1,000. The default fits a new account, which may run ten functions at once."""
    reserved_concurrency: Mapping[str, int] = field(default_factory=dict)
    """How many instances only this function may have, and no more than these, by `ServiceFunction.name`. Lambda wants
    100 of the account's concurrency left to all other functions, so an account needs the sum and 100 more."""
    rollback_minutes: int = 0
    """How long CloudFormation watches the rollback alarms after a deployment; it rolls back if one goes off."""

    @property
    def has_edge(self) -> bool:
        """False on the local AWS, whose CloudFront serves no requests; `make run` has an edge proxy instead."""
        return not self.local

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie. Browsers accept the prefix `__Host-` only from the host itself and over TLS,
        which the local edge proxy does not have.
        """
        return "admit-one" if self.local else "__Host-admit-one"

    @property
    def has_event_archive(self) -> bool:
        """False on the local AWS, which does not support AWS::Events::Archive."""
        return not self.local

    @property
    def has_metric_math(self) -> bool:
        """False on the local AWS, which rejects alarms on more than one metric."""
        return not self.local

    @property
    def architecture(self) -> Architecture:
        """Graviton on AWS; locally that of this machine, because the zips contain compiled packages."""
        if not self.local:
            return "arm64"
        return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


STAGES = {
    stage.name: stage
    for stage in (
        # `make run` starts the local Stripe on port 12111.
        Stage(name="local", local=True, log_retention=RetentionDays.ONE_DAY, stripe_api_base="http://127.0.0.1:12111"),
        Stage(name="dev"),
        Stage(
            name="prod",
            keep_data=True,
            log_retention=RetentionDays.ONE_YEAR,
            rollback_minutes=15,
            listener_concurrency=100,
        ),
    )
}


def find_stage(
    name: str,
    *,
    order_window_seconds: int | None = None,
    stripe_api_base: str | None = None,
    alarm_email: str | None = None,
    domain_name: str | None = None,
    certificate_arn: str | None = None,
    web_acl_arn: str | None = None,
) -> Stage:
    """Return the stage with this name, with the given settings overridden.

    A name that is not in `STAGES` gives a copy of `dev`, so that every developer can have a stage. Raises ValueError
    for a name that is invalid in a stack's name, an order window outside 1 to 86,400 seconds, a `stripe_api_base`
    outside `local`, or a domain without a certificate.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name):
        raise ValueError(f"a stage's name must be a letter and up to 19 of a-z, 0-9 and -, not {name!r}")
    stage = STAGES.get(name) or replace(STAGES["dev"], name=name)
    if order_window_seconds is not None:
        if not 1 <= order_window_seconds <= 86_400:
            raise ValueError(f"orderWindowSeconds must be 1 to 86400, not {order_window_seconds}")
        stage = replace(stage, order_window_seconds=order_window_seconds)
    if stripe_api_base is not None:
        if not stage.local:
            raise ValueError("stripeApiBase is allowed on the local stage only")
        stage = replace(stage, stripe_api_base=stripe_api_base)
    stage = replace(
        stage,
        alarm_email=alarm_email or stage.alarm_email,
        domain_name=domain_name or stage.domain_name,
        certificate_arn=certificate_arn or stage.certificate_arn,
        web_acl_arn=web_acl_arn or stage.web_acl_arn,
    )
    if bool(stage.domain_name) != bool(stage.certificate_arn):
        raise ValueError("domainName and certificateArn (in us-east-1) must be set together")
    return stage
