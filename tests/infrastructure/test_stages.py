"""Stages: the settings that differ from one to another, and that nothing else does."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk.stages import STAGES, find_stage
from tests.infrastructure.template import Template
from tests.support.synth import synthesize, synthesize_stage


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
        Template(synthesize_stage(replace(STAGES[name], name="same"), tmp_path_factory.mktemp(name)))
        for name in ("dev", "local")
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
        "Monitoring/AuthUsersTableThrottled/Resource",
        "Monitoring/OrdersTableThrottled/Resource",
        "Monitoring/PaymentsTableThrottled/Resource",
        "Monitoring/TicketsTableThrottled/Resource",
        "Monitoring/OrdersOpenIndexThrottled/Resource",
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
    }
    assert differences == {
        *(f"{group}/Properties/RetentionInDays" for group in local.all_of("AWS::Logs::LogGroup")),
        *(
            f"{logical_id}/Properties/Environment/Variables/STRIPE_API_BASE"
            for name, (logical_id, _) in aws.functions().items()
            if name in {"payments api", "payments webhook", "payments listener", "payments reconciler"}
        ),
        f"{aws.functions()['auth api'][0]}/Properties/Environment/Variables/SESSION_COOKIE",
    }


@pytest.mark.parametrize("name", ["dev", "prod", "a-stage-of-ones-own"])
def test_session_cookie_has_host_prefix_behind_tls(name: str) -> None:
    """A browser takes a `__Host-` cookie only over TLS, with Secure, from this host and for all of it (RFC 6265bis)."""
    assert find_stage(name).session_cookie == "__Host-admit-one"


def test_each_stage_configures_its_session_cookie(pair: tuple[Template, Template]) -> None:
    names = [each.function("auth api")["Environment"]["Variables"]["SESSION_COOKIE"] for each in pair]
    assert names == ["__Host-admit-one", "admit-one"]


def test_synthesis_is_deterministic(template: dict[str, Any], tmp_path: Path) -> None:
    """A second deployment of the same input changes nothing."""
    assert synthesize("dev", tmp_path) == template


def test_two_stages_fit_in_one_account(template: dict[str, Any], tmp_path: Path) -> None:
    names, others = (set(_names(Template(each))) for each in (template, synthesize("dev-2", tmp_path)))
    assert len(names) == len(others) > 40
    assert not names & others


def _names(template: Template) -> Iterator[tuple[str, str]]:
    """Return every explicit name, for resources whose names must be unique in the account."""
    within_another = {"AWS::IAM::Policy", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Stage"}
    for resource in template.content["Resources"].values():
        for key, value in resource["Properties"].items():
            others = {"MetricName", "FunctionName", "EventBusName", "BucketName", "DestinationBucketName"}
            is_a_name = key.endswith("Name") and key not in others
            if is_a_name and resource["Type"] not in within_another:
                yield resource["Type"], json.dumps(value)


def test_production_keeps_its_data_and_dev_deletes_it(template: dict[str, Any], tmp_path: Path) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
    production = Template(synthesize_stage(STAGES["prod"], tmp_path))
    for content, policy in ((production.content, "Retain"), (template, "Delete")):
        resources = [resource for resource in content["Resources"].values() if resource["Type"] in kept]
        assert {resource["DeletionPolicy"] for resource in resources} == {policy}
        assert {resource["UpdateReplacePolicy"] for resource in resources} == {policy}
    tables = production.all_of("AWS::DynamoDB::Table").values()
    assert all(table["DeletionProtectionEnabled"] for table in tables)


def test_a_template_names_no_account_and_no_region(template: dict[str, Any]) -> None:
    assert "us-east-1" not in json.dumps(template)


def test_an_unlisted_stage_gets_the_settings_of_dev() -> None:
    assert find_stage("ada") == replace(STAGES["dev"], name="ada")


def test_the_order_window_can_be_overridden() -> None:
    assert find_stage("local", order_window_seconds=20).order_window_seconds == 20
    assert find_stage("local").order_window_seconds == 300


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_an_order_window_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="orderWindowSeconds"):
        find_stage("local", order_window_seconds=seconds)


@pytest.mark.parametrize("name", ["", "Prod", "1st", "a b", "x" * 21, "prod\n"])
def test_an_invalid_stage_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stage's name"):
        find_stage(name)


def test_only_the_local_stage_accepts_a_stripe_address() -> None:
    assert find_stage("local", stripe_api_base="https://api.stripe.com").stripe_api_base == "https://api.stripe.com"
    with pytest.raises(ValueError, match="stripeApiBase"):
        find_stage("prod", stripe_api_base="http://example.com")
