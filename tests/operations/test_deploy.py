"""The CDK commands for a stage."""

from dataclasses import replace
from itertools import pairwise

import pytest

from cdk.stages import STAGES, find_stage
from operations import deploy
from operations.deploy import deploy_command, destroy_command, remaining_resources
from operations.stage import DeployedStage

PROD, DEV = STAGES["prod"], STAGES["dev"]
ALARMS = {"RollbackAlarms": "arn:aws:cloudwatch:x:1:alarm:a,arn:aws:cloudwatch:x:1:alarm:b"}


def _options(command: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(command) if option == name]


def test_production_deploys_with_rollback_alarms() -> None:
    """The alarms are those of the deployed stack."""
    command = deploy_command(PROD, outputs=ALARMS, is_watched=True, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ALARMS["RollbackAlarms"].split(",")
    assert _options(command, "--monitoring-time-minutes") == ["15"]
    assert command[1:3] == ["deploy", "AdmitOne-prod"]


def test_a_first_deployment_has_no_rollback_alarms() -> None:
    command = deploy_command(PROD, outputs={}, is_watched=True, approval=None)
    assert "--rollback-trigger-alarm-arns" not in command


def test_a_fix_is_deployed_despite_an_active_alarm() -> None:
    command = deploy_command(PROD, outputs=ALARMS, is_watched=False, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ["none"]


def test_dev_has_no_rollback_alarms() -> None:
    command = deploy_command(DEV, outputs=ALARMS, is_watched=True, approval="never")
    assert "--rollback-trigger-alarm-arns" not in command
    assert _options(command, "--require-approval") == ["never"]


def test_retained_resources_are_reported() -> None:
    assert "secrets and logs stay" in remaining_resources(PROD)
    assert "go with it" in remaining_resources(DEV)


@pytest.mark.parametrize(
    "arguments", [["destroy", "prod"], ["destroy", "prod", "--confirm", "dev"], ["deploy", "local"]]
)
def test_unconfirmed_and_invalid_commands_are_refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "_run", lambda _: pytest.fail("the command was run"))
    monkeypatch.setattr("sys.argv", ["deploy", *arguments])
    assert deploy.main() == 2


def test_destroying_removes_protection_after_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    def run(command: list[str]) -> int:
        done.append(command)
        return 0

    monkeypatch.setattr(DeployedStage, "allow_destruction", lambda stage: done.append(stage.stack))
    monkeypatch.setattr(deploy, "_run", run)
    monkeypatch.setattr("sys.argv", ["deploy", "destroy", "prod", "--confirm", "prod"])
    assert deploy.main() == 0
    assert done == ["AdmitOne-prod", destroy_command(PROD, confirmed=True)]


def test_without_confirmation_cdk_asks() -> None:
    assert "--force" not in destroy_command(DEV, confirmed=False)
    assert "--force" in destroy_command(DEV, confirmed=True)


def test_the_alarm_address_can_be_overridden() -> None:
    assert find_stage("dev", alarm_email="a@example.com") == replace(DEV, alarm_email="a@example.com")
