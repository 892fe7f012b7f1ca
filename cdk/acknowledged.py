"""Findings of cdk-nag's AwsSolutions rules that are as they should be: each on its own resource, with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(resource: IConstruct, rule: str, reason: str) -> None:
    """Let the rule (`SMG4`, or `IAM5[Resource::*]` for one finding of several) find what it finds on this resource."""
    Validations.of(resource).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
