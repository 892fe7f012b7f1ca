"""Stages: what differs from one to another, and that nothing else does."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk.stages import STAGES, Stage, find_stage
from tests.synthesized import ROOT
from tests.template.reading import Template


def _synthesize(stage: Stage, out: Path) -> Template:
    from aws_cdk import App

    from cdk.stack import AdmitOneStack

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(context={**context, "aws:cdk:bundling-stacks": []}, outdir=str(out))
    AdmitOneStack(app, "Stack", stage=stage)
    app.synth()
    return Template(json.loads((out / "Stack.template.json").read_text()))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value inside, by the path that leads to it."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, f"{path}/{name}")
        case list():
            for number, inner in enumerate(value):
                yield from _leaves(inner, f"{path}/{number}")
        case _:
            yield path, value


def test_local_differs_from_aws_in_what_the_local_aws_lacks_and_in_nothing_else(tmp_path: Path) -> None:
    # Under one name and on one processor, so that only the setting itself tells.
    local = _synthesize(replace(STAGES["local"], name="same"), tmp_path / "local")
    aws = _synthesize(replace(STAGES["dev"], name="same"), tmp_path / "aws")
    on_aws, here = dict(_leaves(aws.content)), dict(_leaves(local.content))
    differences = {
        path.removeprefix("/Resources/")
        for path in on_aws.keys() | here.keys()
        if on_aws.get(path) != here.get(path)
        # A zip holds packages compiled for its machine, which may or may not be of the kind that AWS uses.
        and not path.endswith(("/Code/S3Key", "/Architectures/0"))
    }
    assert differences == {
        *(f"{group}/Properties/RetentionInDays" for group in aws.all_of("AWS::Logs::LogGroup")),
        *(
            f"{logical_id}/Properties/Environment/Variables/STRIPE_API_BASE"
            for name, (logical_id, _) in aws.functions().items()
            if name in {"payments api", "payments webhook", "payments listener", "payments reconciler"}
        ),
    }


def test_production_keeps_its_data_and_dev_goes_without_a_trace(template: dict[str, Any], tmp_path: Path) -> None:
    kept = {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"}
    production = _synthesize(STAGES["prod"], tmp_path)
    for content, policy in ((production.content, "Retain"), (template, "Delete")):
        resources = [resource for resource in content["Resources"].values() if resource["Type"] in kept]
        assert {resource["DeletionPolicy"] for resource in resources} == {policy}
        assert {resource["UpdateReplacePolicy"] for resource in resources} == {policy}
    tables = production.all_of("AWS::DynamoDB::Table").values()
    assert all(table["DeletionProtectionEnabled"] for table in tables)


def test_make_run_deploys_the_whole_application(aws: Template, local: Template) -> None:
    types = [sorted(resource["Type"] for resource in each.content["Resources"].values()) for each in (aws, local)]
    assert types[0] == types[1]


def test_a_template_names_no_account_and_no_region(template: dict[str, Any]) -> None:
    assert "us-east-1" not in json.dumps(template)


def test_a_stage_that_nobody_listed_is_made_like_dev() -> None:
    assert find_stage("ada") == replace(STAGES["dev"], name="ada")


def test_the_order_window_can_be_set_for_once() -> None:
    assert find_stage("local", order_window_seconds=20).order_window_seconds == 20
    assert find_stage("local").order_window_seconds == 300


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
def test_an_order_window_that_makes_no_sense_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="orderWindowSeconds"):
        find_stage("local", order_window_seconds=seconds)


@pytest.mark.parametrize("name", ["", "Prod", "1st", "a b", "x" * 21, "prod\n"])
def test_a_name_that_cannot_be_a_stacks_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="stage's name"):
        find_stage(name)


def test_only_the_local_stage_can_be_sent_to_another_stripe() -> None:
    assert find_stage("local", stripe_api_base="https://api.stripe.com").stripe_api_base == "https://api.stripe.com"
    with pytest.raises(ValueError, match="stripeApiBase"):
        find_stage("prod", stripe_api_base="http://example.com")
