"""Finding a deployed stage's resources by their names in the CDK app."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

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


def test_a_function_is_found(dev: DeployedStage, template: dict[str, Any]) -> None:
    found = template["Resources"][dev.function("OrdersApi")]

    assert found["Properties"]["Handler"] == "functions.orders.api.handler"


def test_a_missing_resource_is_named(dev: DeployedStage) -> None:
    with pytest.raises(NotDeployed, match="AdmitOne-dev has no AuthTable"):
        dev.table("auth")


class NoStack:
    """Fake CloudFormation client of an account without the stack."""

    def _refuse(self, *, StackName: str) -> Any:
        message = f"Stack with id {StackName} does not exist"
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")

    describe_stacks = get_template = _refuse


def test_a_stage_that_is_not_deployed_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_cloudformation", lambda _region=None: NoStack())
    missing = DeployedStage("dev")
    assert (missing.outputs(), missing.template(), missing.web_acl_arn()) == ({}, {}, None)


def test_the_firewall_is_looked_up_in_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """WAF for CloudFront is in us-east-1, whatever the region of the stage."""

    class Firewall:
        def describe_stacks(self, *, StackName: str) -> Any:
            assert StackName == "AdmitOneFirewall-dev"
            return {"Stacks": [{"Outputs": [{"OutputKey": "WebAclArn", "OutputValue": "arn:aws:wafv2:1"}]}]}

    monkeypatch.setattr(
        stage, "_cloudformation", lambda region=None: Firewall() if region == "us-east-1" else NoStack()
    )
    assert DeployedStage("dev").web_acl_arn() == "arn:aws:wafv2:1"
