"""Look up a deployed stage's tables, event bus and outputs in CloudFormation."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

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

    def table(self, service: str) -> str:
        """Return the name of a service's table. Raises NotDeployed."""
        return self._resource("AWS::DynamoDB::Table", f"{service.title()}Table")

    def bus(self) -> str:
        """Return the name of the event bus. Raises NotDeployed."""
        return self._resource("AWS::Events::EventBus", "Bus")

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs; empty if there is no stack."""
        try:
            (found,) = _cloudformation().describe_stacks(StackName=self.stack)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # CloudFormation's code for a missing stack
                return {}
            raise
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def allow_destruction(self) -> None:
        """Remove the stack's termination protection."""
        _cloudformation().update_termination_protection(StackName=self.stack, EnableTerminationProtection=False)

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


def _cloudformation() -> "CloudFormationClient":
    return boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION"))
