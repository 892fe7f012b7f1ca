"""Suppressions of cdk-nag's AwsSolutions rules, each on one resource and with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def suppress(resource: IConstruct, rule: str, reason: str) -> None:
    """Suppress a rule on one resource. `rule` is `SMG4`, or `IAM5[Resource::*]` for one of several findings."""
    Validations.of(resource).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))
