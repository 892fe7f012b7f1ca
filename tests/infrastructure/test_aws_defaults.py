"""Every property of a resource is set, or `cdk/aws_defaults.toml` says why AWS's default is right."""

import copy
from typing import Any

import pytest

from tools import aws_defaults

type Templates = list[dict[str, Any]]


@pytest.fixture(scope="module")
def templates() -> Templates:
    return [dict(template) for template in aws_defaults.templates()]


def _unset(templates: Templates) -> dict[str, set[str]]:
    return {kind: lack for kind, (_, lack) in aws_defaults.properties(templates).items()}


def test_every_unset_property_has_one_reason(templates: Templates) -> None:
    reasons, _ = aws_defaults.read_reasons()
    assert aws_defaults.without_reason(_unset(templates), reasons) == []


def test_every_reason_is_for_an_unset_property(templates: Templates) -> None:
    reasons, absent = aws_defaults.read_reasons()
    assert aws_defaults.without_property(_unset(templates), reasons) == []
    assert not absent.keys() & _unset(templates).keys()


def test_the_document_is_up_to_date(templates: Templates) -> None:
    assert aws_defaults.DOCUMENT.read_text() == aws_defaults.document(templates), "run: python -m tools.aws_defaults"


def test_a_property_that_is_no_longer_set_is_found(templates: Templates) -> None:
    """Also one inside of another, and one of a new type of resource."""
    changed = copy.deepcopy(templates)
    resources = changed[0]["Resources"]
    queue = next(each for each in resources.values() if each["Type"] == "AWS::SQS::Queue")
    del queue["Properties"]["MessageRetentionPeriod"]
    mapping = next(each for each in resources.values() if "ScalingConfig" in each.get("Properties", {}))
    mapping["Properties"]["ScalingConfig"] = {}
    resources["New"] = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "1", "Name": "new"}}
    reasons, _ = aws_defaults.read_reasons()
    missing = aws_defaults.without_reason(_unset(changed), reasons)
    assert {each for each in missing if "SSM" not in each} == {
        "AWS::SQS::Queue MessageRetentionPeriod",
        "AWS::Lambda::EventSourceMapping ScalingConfig.MaximumConcurrency",
    }
    assert "AWS::SSM::Parameter Tier" in missing
