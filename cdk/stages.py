"""The stages and their settings, which are in `stages/<stage>.toml`.

Features that the local AWS lacks depend on `Stage.local`, through the properties defined here only.
"""

import platform
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from aws_cdk.aws_logs import RetentionDays

from cdk.bundle import ROOT, Architecture


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
    holds_per_buyer: int = 10
    """How many unpaid orders one buyer may have at once."""
    fee_percent: str = "5"
    """The part of a ticket's price that the marketplace keeps, in percent: a decimal from 0 to 100."""
    fee_fixed: str = "0"
    """What the marketplace keeps of each sale besides, in the currency's main unit. Both together take no more than the
    price. An order keeps the fee of the time at which it was placed."""
    payout_hold_seconds: int = 7 * 24 * 3600
    """How long after a sale its seller is paid at the earliest, up to 90 days: time for the buyer to complain."""
    log_retention: RetentionDays = RetentionDays.TWO_WEEKS
    stripe_api_base: str | None = None
    """The URL of an emulator of Stripe's API; None for Stripe itself."""
    public_origin: str | None = None
    """The address of the local edge proxy; None on AWS, where it is that of the edge. Links in mails begin with it."""
    mail_from: str | None = None
    """The sender of mails to users, whose domain SES must be allowed to send for (docs/operations.md, "Mail"); None for
    a stage that sends no mails."""
    mails_per_second: int = 14
    """How many mails a second are sent at most, 1 to 1,000. SES takes 14 from an account with production access unless
    its quota is raised, and 1 in the sandbox; what it refuses is sent later."""
    verify_email: bool = True
    """Whether a user without a proved e-mail address can buy and sell nothing. Without a sender everybody can."""
    alarm_email: str | None = None
    """The recipient of alarm e-mails, who must confirm the SNS subscription once, by the link in the first e-mail."""
    domain_name: str | None = None
    """A custom domain for CloudFront. Its DNS record, pointing to the distribution, is not part of the stack."""
    certificate_arn: str | None = None
    """The domain's certificate. CloudFront requires it in us-east-1."""
    require_edge: bool = True
    """The API answers only requests that came through the edge, except health checks and Stripe's webhooks. Otherwise
    callers can use its own address, where no firewall limits them."""
    sign_ups_per_network: int = 50
    """How many sign-ups an IPv4 address or an IPv6 /64 may try in 15 minutes."""
    web_acl_arn: str | None = None
    """A web ACL for CloudFront, in place of a `firewall`."""
    firewall: bool = False
    """Has a stack of its own with a web ACL (`cdk/firewall.py`)."""
    listener_concurrency: int = 2
    """How many batches of each of the four event queues are processed at once, 2 (the least that Lambda accepts) to
    1,000. The default is for a new account, which may run ten functions at once: too few for more than a trial."""
    settler_concurrency: int = 2
    """How many due payments are settled at once, and how many looks at sellers' earnings are taken at once, 2 to 1,000.
    The calls to Stripe for one follow each other and take a tenth of a second at least, so 2 make at most 20 a second,
    for payments and for earnings each. Stripe takes 25 from a sandbox, 100 in live mode."""
    reserved_concurrency: Mapping[str, int] = field(default_factory=dict)
    """How many instances only this function may have, and no more than these, by `ServiceFunction.name`. Lambda needs
    100 of the account's concurrency left to all other functions, so an account needs the sum and 100 more."""
    tracing: bool = False
    """Lambda records traces for X-Ray: of each function one call a second and 5 % of the others, at $5 per million. At
    a low rate that is nearly every call."""
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
    def email_verification(self) -> str:
        """What a user without a proved address cannot do: buy and sell (`required`), nothing (`optional`), or prove it
        (`unavailable`).
        """
        if not self.mail_from:
            return "unavailable"
        return "required" if self.verify_email else "optional"

    @property
    def payout_run_minutes(self) -> int:
        """How often earnings that are due are looked for. Each run costs reads; locally a seller waits for it."""
        return 1 if self.local else 5

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


# `make run` starts the local Stripe on port 12111, and the edge proxy on port 3000.
# All users of a local stage, also those of the tests, have one network address.
LOCAL = Stage(
    name="local",
    local=True,
    sign_ups_per_network=1_000_000,
    payout_hold_seconds=30,
    log_retention=RetentionDays.ONE_DAY,
    stripe_api_base="http://127.0.0.1:12111",
    public_origin="http://127.0.0.1:3000",
    mail_from="mail@admit-one.example",
)

ZERO_DECIMAL_CURRENCIES = {"jpy"}
"""Currencies without decimals, of those in which a stage can sell (`shared/money.py`)."""

FOLDER = ROOT / "stages"
_LOG_RETENTIONS = {
    1: RetentionDays.ONE_DAY,
    7: RetentionDays.ONE_WEEK,
    14: RetentionDays.TWO_WEEKS,
    30: RetentionDays.ONE_MONTH,
    90: RetentionDays.THREE_MONTHS,
    180: RetentionDays.SIX_MONTHS,
    365: RetentionDays.ONE_YEAR,
    731: RetentionDays.TWO_YEARS,
    1827: RetentionDays.FIVE_YEARS,
}
_NOT_IN_FILES = {"name", "local", "stripe_api_base", "public_origin", "log_retention"}


def find_stage(
    name: str,
    *,
    order_window_seconds: int | None = None,
    stripe_api_base: str | None = None,
    public_origin: str | None = None,
) -> Stage:
    """Return the stage as it is deployed: `read_stage`, with the order window and the local addresses overridden.

    Raises ValueError as `read_stage` does, for a `stripe_api_base` or `public_origin` outside `local`, and for a stage
    that keeps its data and has no recipient of alarms.
    """
    stage = read_stage(name)
    if order_window_seconds is not None:
        stage = replace(stage, order_window_seconds=order_window_seconds)
    if stripe_api_base is not None:
        if not stage.local:
            raise ValueError("stripeApiBase is allowed on the local stage only")
        stage = replace(stage, stripe_api_base=stripe_api_base)
    if public_origin is not None:
        if not stage.local:
            raise ValueError("publicOrigin is allowed on the local stage only")
        stage = replace(stage, public_origin=public_origin)
    if stage.keep_data and not stage.alarm_email:
        raise ValueError(f"set alarm_email in stages/{name}.toml: a stage that keeps its data needs it")
    _check_values(stage)
    return stage


def read_stage(name: str, *, folder: Path = FOLDER) -> Stage:
    """Return the stage with the settings of `stages/<name>.toml`, or of `stages/dev.toml` if it has no file.

    So every developer can have a stage. Raises ValueError for a name that is invalid in a stack's name, a setting that
    does not exist or has a wrong type or value, a domain without a certificate, and a firewall besides a web ACL.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name):
        raise ValueError(f"a stage's name must be a letter and up to 19 of a-z, 0-9 and -, not {name!r}")
    if name == LOCAL.name:
        return LOCAL
    file = folder / f"{name}.toml"
    settings = tomllib.loads((file if file.exists() else folder / "dev.toml").read_text())
    try:
        stage = _stage(name, settings)
        _check_values(stage)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    return stage


def _stage(name: str, settings: dict[str, Any]) -> Stage:
    types = get_type_hints(Stage)
    retention = settings.pop("log_retention_days", 14)
    if retention not in _LOG_RETENTIONS:
        raise ValueError(f"log_retention_days must be one of {', '.join(map(str, _LOG_RETENTIONS))}, not {retention!r}")
    for key, value in settings.items():
        if key not in types or key in _NOT_IN_FILES:
            raise ValueError(f"there is no setting {key}")
        if not _has_type(value, types[key]):
            raise ValueError(f"{key} cannot be {value!r}")
    return Stage(name=name, log_retention=_LOG_RETENTIONS[retention], **settings)


def _has_type(value: object, expected: Any) -> bool:
    if get_origin(expected) is Mapping:
        return isinstance(value, dict) and all(type(number) is int for number in value.values())
    return type(value) in (get_args(expected) or (expected,))  # not isinstance: a bool is an int


def _check_values(stage: Stage) -> None:
    if not 1 <= stage.order_window_seconds <= 86_400:
        raise ValueError(f"order_window_seconds must be 1 to 86400, not {stage.order_window_seconds}")
    if not 0 <= stage.payout_hold_seconds <= 90 * 86_400:
        raise ValueError(f"payout_hold_seconds must be 0 to 7776000, not {stage.payout_hold_seconds}")
    for setting in ("listener_concurrency", "settler_concurrency"):
        if not 2 <= getattr(stage, setting) <= 1000:
            raise ValueError(f"{setting} must be 2 to 1000, not {getattr(stage, setting)}")
    if not 1 <= stage.holds_per_buyer <= 100:
        raise ValueError(f"holds_per_buyer must be 1 to 100, not {stage.holds_per_buyer}")
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", stage.fee_percent) or Decimal(stage.fee_percent) > 100:
        raise ValueError(f"fee_percent must be a decimal from 0 to 100, not {stage.fee_percent!r}")
    decimals = 0 if stage.currency in ZERO_DECIMAL_CURRENCIES else 2
    if not re.fullmatch(rf"[0-9]{{1,6}}(\.[0-9]{{1,{decimals}}})?" if decimals else "[0-9]{1,6}", stage.fee_fixed):
        raise ValueError(f"fee_fixed must be an amount in {stage.currency.upper()}, not {stage.fee_fixed!r}")
    if not 1 <= stage.mails_per_second <= 1000:
        raise ValueError(f"mails_per_second must be 1 to 1000, not {stage.mails_per_second}")
    if stage.sign_ups_per_network < 1:
        raise ValueError("sign_ups_per_network must be at least 1")
    # Permissions compare it by case, and SES takes ASCII only.
    if stage.mail_from is not None and not re.fullmatch(r"[a-z0-9._+-]+@([a-z0-9-]+\.)+[a-z0-9-]+", stage.mail_from):
        raise ValueError(f"mail_from must be an address in lower case, without a name, not {stage.mail_from!r}")
    if any(number < 0 for number in stage.reserved_concurrency.values()):
        raise ValueError("reserved_concurrency cannot be negative")
    if bool(stage.domain_name) != bool(stage.certificate_arn):
        raise ValueError("domain_name and certificate_arn (in us-east-1) must be set together")
    if stage.firewall and stage.web_acl_arn:
        raise ValueError("firewall and web_acl_arn exclude each other")
