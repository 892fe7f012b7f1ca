"""The workflows: pinned actions, which jobs get a token, and what their roles may do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]  # it has no types

from tests.support.synth import ROOT

OIDC = ROOT / "operations" / "github-oidc.yml"
WORKFLOWS = ROOT / ".github" / "workflows"
WORKFLOW = (WORKFLOWS / "delivery.yml").read_text()
NIGHTLY = (WORKFLOWS / "nightly.yml").read_text()


@pytest.mark.parametrize("workflow", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_with_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


def test_a_forks_pull_request_gets_no_token() -> None:
    diff = WORKFLOW.partition("\n  diff:\n")[2].partition("\n  dev:\n")[0]
    assert "id-token: write" in diff
    assert "github.event.pull_request.head.repo.full_name == github.repository" in diff


def test_the_workflow_uses_no_stored_keys() -> None:
    assert "secrets." not in WORKFLOW
    assert "access-key" not in WORKFLOW


def test_production_follows_dev_and_needs_approval() -> None:
    prod = WORKFLOW.partition("\n  prod:\n")[2]
    assert "needs: dev" in prod
    assert "environment: prod" in prod


def test_each_night_simulates_runs_of_its_own() -> None:
    assert "cron:" in NIGHTLY
    command = re.search(r"make simulate RUNS=(\d+) SEED=\$\(\( days \* (\d+) \)\)", NIGHTLY)
    assert command
    assert command[1] == command[2], "the seeds of two nights must not overlap"
    assert "id-token" not in NIGHTLY
    assert "secrets." not in NIGHTLY


def _roles() -> dict[str, dict[str, Any]]:
    resources = cfn_yaml.load(str(OIDC))["Resources"]
    return {name: each for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"}


def test_one_environment_deploys_to_an_account() -> None:
    """The CDK bootstrap's roles may change everything in an account, so the one of dev could deploy prod in its own."""
    deploying = {
        name for name, role in _roles().items() if "sts:AssumeRole" in json.dumps(role["Properties"]["Policies"])
    }
    assert deploying == {"DeployRole"}
    trust = _roles()["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    (subject,) = (each["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] for each in trust)
    assert subject == {"Fn::Sub": "repo:${Repository}:environment:${Environment}"}


def test_a_pull_requests_role_only_reads() -> None:
    """A pull request's own code runs with it."""
    policies = _roles()["DiffRole"]["Properties"]["Policies"]
    actions = [
        action
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
    ]
    assert set(actions) == {"cloudformation:DescribeStacks", "cloudformation:GetTemplate", "ssm:GetParameter"}
    assert _roles()["DiffRole"]["Condition"] == "IsDev"
