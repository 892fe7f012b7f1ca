"""Look up a deployed stage's tables, event bus, outputs and template in CloudFormation."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from cdk.firewall import REGION as FIREWALL_REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

SERVICES = ("tickets", "orders", "payments")
"""The services whose tables publish events."""


class NotDeployed(RuntimeError):
    """The stage is not deployed in this account and region, or lacks the resource."""


@dataclass(frozen=True, slots=True)
class DeployedStage:
    """One stage in the account and region of the caller's credentials."""

    name: str

    @property
    def stack(self) -> str:
        """The name of the stage's stack."""
        return f"AdmitOne-{self.name}"

    @property
    def firewall_stack(self) -> str:
        """The name of the stack of the stage's firewall."""
        return f"AdmitOneFirewall-{self.name}"

    def table(self, service: str) -> str:
        """Return the name of a service's table. Raises NotDeployed."""
        return self._resource("AWS::DynamoDB::Table", f"{service.title()}Table")

    def set_aside(self, service: str) -> str:
        """Return the URL of the queue of events that the bus rejected. Raises NotDeployed."""
        return self._resource("AWS::SQS::Queue", f"{service.title()}RelayUnpublished")

    def function(self, logical_id: str) -> str:
        """Return the name of the function whose logical id begins with this. Raises NotDeployed."""
        return self._resource("AWS::Lambda::Function", logical_id)

    def bus(self) -> str:
        """Return the name of the event bus. Raises NotDeployed."""
        return self._resource("AWS::Events::EventBus", "Bus")

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs; empty if there is no stack."""
        return _outputs(_cloudformation(), self.stack)

    def web_acl_arn(self) -> str | None:
        """Return the ARN of the firewall's web ACL; None if there is no firewall."""
        return _outputs(_cloudformation(FIREWALL_REGION), self.firewall_stack).get("WebAclArn")

    def template(self) -> dict[str, Any]:
        """Return the template that is deployed; empty if there is no stack."""
        try:
            found = _cloudformation().get_template(StackName=self.stack)
        except ClientError as error:
            if _is_missing(error):
                return {}
            raise
        return dict(found["TemplateBody"])

    def set_protection(self, *, is_protected: bool) -> None:
        """Protect the stack against termination, or allow it. Raises ClientError."""
        _cloudformation().update_termination_protection(StackName=self.stack, EnableTerminationProtection=is_protected)

    def _resource(self, kind: str, logical_id: str) -> str:
        pages = _cloudformation().get_paginator("list_stack_resources").paginate(StackName=self.stack)
        try:
            for page in pages:
                for resource in page["StackResourceSummaries"]:
                    if resource["ResourceType"] == kind and resource["LogicalResourceId"].startswith(logical_id):
                        return resource["PhysicalResourceId"]
        except ClientError as error:
            raise NotDeployed(f"{self.stack} cannot be read: {error}") from error
        raise NotDeployed(f"{self.stack} has no {logical_id}")


def _outputs(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    try:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if _is_missing(error):
            return {}
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ValidationError"  # CloudFormation's code for a missing stack


def _cloudformation(region: str | None = None) -> "CloudFormationClient":
    return boto3.client("cloudformation", region_name=region or os.environ.get("AWS_REGION"))
