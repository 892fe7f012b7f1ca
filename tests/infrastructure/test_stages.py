"""Stages: the settings that differ from one to another, and that nothing else does."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cdk import app, stages
from cdk.stages import FOLDER, LOCAL, Stage, find_stage, read_stage
from tests.infrastructure.template import Template, as_list
from tests.support.synth import synthesize_stage, synthesize_with_sender


def _path(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    return path.partition("/")[2]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Return every value inside, by its path."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, f"{path}/{name}")
        case list():
            for number, inner in enumerate(value):
                yield from _leaves(inner, f"{path}/{number}")
        case _:
            yield path, value


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Template, Template]:
    """Return the AWS stage and the local one under one name, so that they differ in the setting only."""
    aws, local = (
        Template(synthesize_stage(replace(stage, name="same"), tmp_path_factory.mktemp(stage.name)))
        for stage in (replace(read_stage("dev"), mail_from=LOCAL.mail_from), LOCAL)
    )
    return aws, local


def test_local_lacks_only_what_local_aws_does_not_support(
    pair: tuple[Template, Template],
) -> None:
    """It has no resource of its own."""
    aws, local = ({_path(resource) for resource in each.content["Resources"].values()} for each in pair)
    assert local <= aws
    # CloudFront and the client's files, with the CDK resources that copy them.
    edge = {path for path in aws if path.startswith(("Edge/", "Custom::"))}
    assert len(edge) > 10
    assert aws - local - edge == {
        "Bus/Archive/Archive",
        # alarms on metric math
        "Monitoring/Api5Xx/Resource",
        "Monitoring/FunctionsCrash/Resource",
        "Monitoring/WorkersCrash/Resource",
        "Monitoring/AuthUsersTableThrottled/Resource",
        "Monitoring/OrdersTableThrottled/Resource",
        "Monitoring/PaymentsTableThrottled/Resource",
        "Monitoring/TicketsTableThrottled/Resource",
        "Monitoring/AuthUsersClosingIndexThrottled/Resource",
        "Monitoring/OrdersDueIndexThrottled/Resource",
        "Monitoring/OrdersOpenIndexThrottled/Resource",
        "Monitoring/PaymentsBySellerIndexThrottled/Resource",
        "Monitoring/PaymentsDueLooksIndexThrottled/Resource",
        "Monitoring/PaymentsUnsettledIndexThrottled/Resource",
        "Monitoring/TicketsBySellerIndexThrottled/Resource",
        "Monitoring/TicketsOnSaleIndexThrottled/Resource",
    }


def test_resources_of_local_differ_only_as_listed(pair: tuple[Template, Template]) -> None:
    aws, local = pair
    both = aws.content["Resources"].keys() & local.content["Resources"].keys()
    on_aws, here = (dict(_leaves({name: each.content["Resources"][name] for name in both})) for each in (aws, local))
    differences = {
        path.removeprefix("/")
        for path in on_aws.keys() | here.keys()
        if on_aws.get(path) != here.get(path)
        # A zip holds packages compiled for this machine, which may or may not have the processor that AWS uses.
        and not path.endswith(("/Code/S3Key", "/Architectures/0"))
        # The dashboard shows the existing alarms.
        and "/DashboardBody/" not in path
        # Links in mails lead to the edge, or to the edge proxy.
        and "/Variables/PUBLIC_ORIGIN" not in path
    }
    assert differences == {
        *(f"{group}/Properties/RetentionInDays" for group in local.all_of("AWS::Logs::LogGroup")),
        *(
            f"{logical_id}/Properties/Environment/Variables/STRIPE_API_BASE"
            for name, (logical_id, _) in aws.functions().items()
            if name.startswith("payments ")
            and name not in {"payments relay", "payments personal_data", "payments payout_finder"}
        ),
        f"{aws.functions()['auth api'][0]}/Properties/Environment/Variables/SESSION_COOKIE",
        f"{aws.functions()['auth api'][0]}/Properties/Environment/Variables/SIGN_UPS_PER_NETWORK",
        f"{aws.functions()['payments listener'][0]}/Properties/Environment/Variables/PAYOUT_HOLD_SECONDS",
        *_rates_of_the_payout_finder(aws),
    }


def _rates_of_the_payout_finder(template: Template) -> Iterator[str]:
    [schedule] = (each for each in template.all_of("AWS::Scheduler::Schedule") if "PayoutsFinder" in each)
    [calls] = (each for each in template.all_of("AWS::Lambda::EventInvokeConfig") if "PayoutsFinder" in each)
    yield f"{schedule}/Properties/ScheduleExpression"
    yield f"{schedule}/Properties/Target/RetryPolicy/MaximumEventAgeInSeconds"
    yield f"{calls}/Properties/MaximumEventAgeInSeconds"


@pytest.mark.parametrize("name", ["dev", "prod", "a-stage-of-ones-own"])
def test_session_cookie_has_host_prefix_behind_tls(name: str) -> None:
    """A browser takes a `__Host-` cookie only over TLS, with Secure, from this host and for all of it (RFC 6265bis)."""
    assert read_stage(name).session_cookie == "__Host-admit-one"


def test_each_stage_configures_its_session_cookie(pair: tuple[Template, Template]) -> None:
    names = [each.function("auth api")["Environment"]["Variables"]["SESSION_COOKIE"] for each in pair]
    assert names == ["__Host-admit-one", "admit-one"]


def test_synthesis_is_deterministic(template: dict[str, Any], tmp_path: Path) -> None:
    """A second deployment of the same input changes nothing."""
    assert synthesize_with_sender("dev", tmp_path) == template


def test_two_stages_fit_in_one_account(template: dict[str, Any], tmp_path: Path) -> None:
    names, others = (set(_names(Template(each))) for each in (template, synthesize_with_sender("dev-2", tmp_path)))
    assert len(names) == len(others) > 40
    assert not names & others


def _names(template: Template) -> Iterator[tuple[str, str]]:
    """Return every explicit name, for resources whose names must be unique in the account."""
    within_another = {
        *("AWS::IAM::Policy", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Stage"),
        "AWS::SES::ConfigurationSetEventDestination",
    }
    for resource in template.content["Resources"].values():
        for key, value in resource["Properties"].items():
            others = {"MetricName", "FunctionName", "EventBusName", "BucketName", "DestinationBucketName"}
            is_a_name = key.endswith("Name") and key not in others
            if is_a_name and resource["Type"] not in within_another:
                yield resource["Type"], json.dumps(value)


def test_traces_are_recorded_only_on_request(aws: Template, tmp_path: Path) -> None:
    traced = Template(synthesize_stage(replace(read_stage("dev"), tracing=True), tmp_path))
    for template, mode in ((aws, "PassThrough"), (traced, "Active")):
        assert {each["TracingConfig"]["Mode"] for _, each in template.functions().values()} == {mode}
        actions = {
            action
            for policy in template.all_of("AWS::IAM::Policy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            for action in as_list(statement["Action"])
            if action.startswith("xray:")
        }
        assert actions == ({"xray:PutTraceSegments", "xray:PutTelemetryRecords"} if mode == "Active" else set())


def test_production_keeps_its_data_and_dev_deletes_it(template: dict[str, Any], tmp_path: Path) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
    production = Template(synthesize_stage(read_stage("prod"), tmp_path))
    for content, policy in ((production.content, "Retain"), (template, "Delete")):
        resources = [resource for resource in content["Resources"].values() if resource["Type"] in kept]
        assert {resource["DeletionPolicy"] for resource in resources} == {policy}
        assert {resource["UpdateReplacePolicy"] for resource in resources} == {policy}
    tables = production.all_of("AWS::DynamoDB::Table").values()
    assert all(table["DeletionProtectionEnabled"] for table in tables)


def test_a_template_names_no_account_and_no_region(template: dict[str, Any]) -> None:
    assert "us-east-1" not in json.dumps(template)


def test_a_stage_without_a_file_gets_the_settings_of_dev() -> None:
    assert find_stage("ada") == replace(read_stage("dev"), name="ada")


def test_the_stage_dev_has_the_defaults() -> None:
    """Its file shows the settings as comments."""
    assert read_stage("dev") == Stage(name="dev")


def test_every_setting_has_a_comment_in_the_files() -> None:
    files = "".join((FOLDER / f"{name}.toml").read_text() for name in ("dev", "prod"))
    hidden = {"name", "local", "stripe_api_base", "public_origin", "log_retention"}
    for setting in {field.name for field in fields(Stage)} - hidden | {"log_retention_days"}:
        assert f"{setting} =" in files or f"[{setting}]" in files, setting


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_settings_that_are_commented_out_are_valid(tmp_path: Path, name: str) -> None:
    """An operator only removes the `# `. The firewall's two settings exclude each other."""
    text = (FOLDER / f"{name}.toml").read_text()
    settings = re.sub(r"^# (?=\[\w+\]$|[\w-]+ = )", "", text, flags=re.MULTILINE)
    (tmp_path / f"{name}.toml").write_text(re.sub(r"^(firewall|web_acl_arn) =.*$", "", settings, flags=re.MULTILINE))
    stage = read_stage(name, folder=tmp_path)
    assert (stage.alarm_email, stage.domain_name) == ("on-call@example.com", "tickets.example.com")
    assert stage.reserved_concurrency


@pytest.mark.parametrize(
    "settings", ['fee_percent = "2.9"\nfee_fixed = "0.30"', 'currency = "jpy"\nfee_fixed = "50"', 'fee_percent = "100"']
)
def test_a_fee_may_have_the_decimals_of_the_currency(tmp_path: Path, settings: str) -> None:
    (tmp_path / "ada.toml").write_text(settings)
    assert read_stage("ada", folder=tmp_path).name == "ada"


def test_production_has_a_firewall_and_its_data_protected() -> None:
    stage = read_stage("prod")
    assert (stage.firewall, stage.keep_data, stage.rollback_minutes) == (True, True, 15)


def test_production_is_not_deployed_without_a_recipient_of_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    production = read_stage("prod")
    monkeypatch.setattr(stages, "read_stage", lambda _: replace(production, alarm_email=None))
    with pytest.raises(ValueError, match=r"alarm_email in stages/prod.toml"):
        find_stage("prod")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("local = true", "no setting local"),
        ('alarmEmail = "a@example.com"', "no setting alarmEmail"),
        ("keep_data = 1", "keep_data cannot be 1"),
        ("rollback_minutes = true", "rollback_minutes cannot be True"),
        ("reserved_concurrency = {orders-api = '1'}", "reserved_concurrency cannot be"),
        ("reserved_concurrency = {orders-api = -1}", "negative"),
        ("listener_concurrency = 1", "2 to 1000"),
        ("order_window_seconds = 0", "1 to 86400"),
        ("payout_hold_seconds = -1", "0 to 7776000"),
        ("log_retention_days = 15", "must be one of 1, 7"),
        ('mail_from = "Mail@example.com"', "lower case"),
        ('mail_from = "Admit One <mail@example.com>"', "without a name"),
        ('mail_from = "mail@localhost"', "must be an address"),
        ("mails_per_second = 0", "1 to 1000"),
        ("fee_percent = 5", "fee_percent cannot be 5"),
        ('fee_percent = "100.01"', "from 0 to 100"),
        ('fee_percent = "-1"', "from 0 to 100"),
        ('fee_percent = "5%"', "from 0 to 100"),
        ('fee_fixed = "0.505"', "an amount in USD"),
        ('fee_fixed = "-0.50"', "an amount in USD"),
        ('currency = "jpy"\nfee_fixed = "0.5"', "an amount in JPY"),
        ('domain_name = "tickets.example"', "must be set together"),
        ('firewall = true\nweb_acl_arn = "arn:aws:wafv2:1"', "exclude each other"),
    ],
)
def test_an_invalid_setting_is_refused_with_the_files_name(tmp_path: Path, settings: str, message: str) -> None:
    (tmp_path / "ada.toml").write_text(settings)
    with pytest.raises(ValueError, match=f"ada.toml: .*{message}"):
        read_stage("ada", folder=tmp_path)


def test_a_stage_with_a_firewall_is_only_complete_with_its_acl(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = replace(read_stage("dev"), firewall=True)
    monkeypatch.setattr(app, "find_stage", lambda *_, **__: stage)
    built: list[str | None] = []
    monkeypatch.setattr(app, "FirewallStack", lambda _app, name, **_: built.append(name))
    monkeypatch.setattr(app, "AdmitOneStack", lambda _app, name, stage: built.extend([name, stage.web_acl_arn]))
    app.build()
    assert built == ["AdmitOneFirewall-dev"]
    app.build({"webAclArn": "arn:aws:wafv2:1"})
    assert built[1:] == ["AdmitOneFirewall-dev", "AdmitOne-dev", "arn:aws:wafv2:1"]


def test_the_order_window_can_be_overridden() -> None:
    assert find_stage("local", order_window_seconds=20).order_window_seconds == 20
    assert find_stage("local").order_window_seconds == 300


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_an_order_window_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="order_window_seconds"):
        find_stage("local", order_window_seconds=seconds)


@pytest.mark.parametrize("name", ["", "Prod", "1st", "a b", "x" * 21, "prod\n"])
def test_an_invalid_stage_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stage's name"):
        find_stage(name)


def test_only_the_local_stage_accepts_a_stripe_address() -> None:
    assert find_stage("local", stripe_api_base="https://api.stripe.com").stripe_api_base == "https://api.stripe.com"
    with pytest.raises(ValueError, match="stripeApiBase"):
        find_stage("prod", stripe_api_base="http://example.com")


def test_only_the_local_stage_accepts_an_origin() -> None:
    assert find_stage("local", public_origin="http://127.0.0.1:8080").public_origin == "http://127.0.0.1:8080"
    with pytest.raises(ValueError, match="publicOrigin"):
        find_stage("prod", public_origin="http://example.com")
