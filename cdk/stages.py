"""What differs from one deployment to another: every stage, in one typed place.

Whatever the local AWS lacks hangs on `Stage.local`, and is decided here and nowhere else.
"""

import platform
import re
from dataclasses import dataclass, replace

from aws_cdk.aws_logs import RetentionDays

from cdk.bundle import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One deployment of the whole application."""

    name: str
    local: bool = False
    """Deployed to the local AWS, which runs the functions on this machine."""
    keep_data: bool = False
    """Tables and secrets outlive the stack, and a table refuses to be deleted."""
    currency: str = "usd"
    order_window_seconds: int = 300
    log_retention: RetentionDays = RetentionDays.TWO_WEEKS
    stripe_api_base: str | None = None
    """Where Stripe's API is, if not at Stripe."""
    alarm_email: str | None = None
    """Who is written to when an alarm goes off; they confirm it once, by a link in the first mail."""
    domain_name: str | None = None
    """Where people go, if not to CloudFront's own address; whoever owns the name points it at the distribution."""
    certificate_arn: str | None = None
    """The domain's certificate, in us-east-1: CloudFront takes it from nowhere else."""
    web_acl_arn: str | None = None
    """The firewall before CloudFront, if one is wanted: `cdk/firewall.py` makes one."""
    rollback_minutes: int = 0
    """For so long after a deployment CloudFormation takes it back should an alarm go off."""

    @property
    def has_edge(self) -> bool:
        """The local AWS has no CloudFront that serves anything: there the front door of `make run` is the edge."""
        return not self.local

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie. Browsers take a `__Host-` cookie from this very host alone, and over TLS
        alone, which the local front door does not have.
        """
        return "admit-one" if self.local else "__Host-admit-one"

    @property
    def has_event_archive(self) -> bool:
        """The local AWS knows no AWS::Events::Archive."""
        return not self.local

    @property
    def has_metric_math(self) -> bool:
        """The local AWS refuses alarms on more than one metric."""
        return not self.local

    @property
    def architecture(self) -> Architecture:
        """Graviton on AWS; locally whatever this machine is, for the zips hold compiled packages."""
        if not self.local:
            return "arm64"
        return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


STAGES = {
    stage.name: stage
    for stage in (
        # 12111 is where `make run` starts the stand-in for Stripe.
        Stage(name="local", local=True, log_retention=RetentionDays.ONE_DAY, stripe_api_base="http://127.0.0.1:12111"),
        Stage(name="dev"),
        Stage(name="prod", keep_data=True, log_retention=RetentionDays.ONE_YEAR, rollback_minutes=15),
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
    """The stage of that name, with what the caller sets for this once.

    One that is not listed is made like `dev`, so that everybody can have their own. Raises ValueError for a name that
    cannot be part of a stack's, a window that is no number of seconds up to a day, another Stripe outside `local`, or a
    domain without a certificate.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name):
        raise ValueError(f"a stage's name is a letter and up to 19 more of a-z, 0-9 and -, not {name!r}")
    stage = STAGES.get(name) or replace(STAGES["dev"], name=name)
    if order_window_seconds is not None:
        if not 1 <= order_window_seconds <= 86_400:
            raise ValueError(f"orderWindowSeconds is from 1 to 86400, not {order_window_seconds}")
        stage = replace(stage, order_window_seconds=order_window_seconds)
    if stripe_api_base is not None:
        if not stage.local:
            raise ValueError("stripeApiBase is for the local stage only: elsewhere Stripe is Stripe")
        stage = replace(stage, stripe_api_base=stripe_api_base)
    stage = replace(
        stage,
        alarm_email=alarm_email or stage.alarm_email,
        domain_name=domain_name or stage.domain_name,
        certificate_arn=certificate_arn or stage.certificate_arn,
        web_acl_arn=web_acl_arn or stage.web_acl_arn,
    )
    if bool(stage.domain_name) != bool(stage.certificate_arn):
        raise ValueError("a domainName and its certificateArn (in us-east-1) go together")
    return stage
