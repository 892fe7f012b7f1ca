"""Finding a deployed stage's resources by their names in the CDK app."""

from typing import Any

import pytest

from operations import stage
from operations.stage import SERVICES, DeployedStage, NotDeployed


class CloudFormation:
    """Fake CloudFormation client with the template's resources, each under its logical id."""

    def __init__(self, template: dict[str, Any]) -> None:
        self._resources = template["Resources"]

    def get_paginator(self, _operation: str) -> "CloudFormation":
        return self

    def paginate(self, *, StackName: str) -> list[dict[str, Any]]:
        assert StackName == "AdmitOne-dev"
        summaries = [
            {"LogicalResourceId": name, "PhysicalResourceId": name, "ResourceType": resource["Type"]}
            for name, resource in self._resources.items()
        ]
        return [{"StackResourceSummaries": summaries[:50]}, {"StackResourceSummaries": summaries[50:]}]


@pytest.fixture
def dev(template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> DeployedStage:
    monkeypatch.setattr(stage, "_cloudformation", lambda: CloudFormation(template))
    return DeployedStage("dev")


@pytest.mark.parametrize("service", SERVICES)
def test_each_services_table_is_found(dev: DeployedStage, template: dict[str, Any], service: str) -> None:
    table = template["Resources"][dev.table(service)]

    assert table["Type"] == "AWS::DynamoDB::Table"
    assert "StreamSpecification" in table["Properties"]
    assert table["Metadata"]["aws:cdk:path"].startswith(f"AdmitOne-dev/{service.title()}/")


def test_the_bus_is_found(dev: DeployedStage, template: dict[str, Any]) -> None:
    assert template["Resources"][dev.bus()]["Type"] == "AWS::Events::EventBus"


def test_a_missing_resource_is_named(dev: DeployedStage) -> None:
    with pytest.raises(NotDeployed, match="AdmitOne-dev has no AuthTable"):
        dev.table("auth")
