"""How CDK is called for a stage."""

from dataclasses import replace
from itertools import pairwise

import pytest

from cdk.stages import STAGES, find_stage
from operations import deploy
from operations.deploy import deploy_command, destroy_command, stays_behind
from operations.stage import DeployedStage

PROD, DEV = STAGES["prod"], STAGES["dev"]
ALARMS = {"RollbackAlarms": "arn:aws:cloudwatch:x:1:alarm:a,arn:aws:cloudwatch:x:1:alarm:b"}


def _options(command: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(command) if option == name]


def test_production_is_watched_by_the_alarms_of_the_stack_that_is_there() -> None:
    command = deploy_command(PROD, outputs=ALARMS, is_watched=True, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ALARMS["RollbackAlarms"].split(",")
    assert _options(command, "--monitoring-time-minutes") == ["15"]
    assert command[1:3] == ["deploy", "AdmitOne-prod"]


def test_a_first_deployment_has_no_alarms_yet_to_be_watched_by() -> None:
    command = deploy_command(PROD, outputs={}, is_watched=True, approval=None)
    assert "--rollback-trigger-alarm-arns" not in command


def test_a_cure_is_deployed_though_an_alarm_is_on() -> None:
    command = deploy_command(PROD, outputs=ALARMS, is_watched=False, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ["none"]


def test_dev_is_not_watched() -> None:
    command = deploy_command(DEV, outputs=ALARMS, is_watched=True, approval="never")
    assert "--rollback-trigger-alarm-arns" not in command
    assert _options(command, "--require-approval") == ["never"]


def test_what_stays_behind_is_said() -> None:
    assert "secrets and logs stay" in stays_behind(PROD)
    assert "go with it" in stays_behind(DEV)


@pytest.mark.parametrize(
    "arguments", [["destroy", "prod"], ["destroy", "prod", "--confirm", "dev"], ["deploy", "local"]]
)
def test_what_cannot_be_meant_is_not_done(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "_run", lambda _: pytest.fail("it was done"))
    monkeypatch.setattr("sys.argv", ["deploy", *arguments])
    assert deploy.main() == 2


def test_the_protection_is_taken_off_only_for_whoever_has_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    def run(command: list[str]) -> int:
        done.append(command)
        return 0

    monkeypatch.setattr(DeployedStage, "allow_destruction", lambda stage: done.append(stage.stack))
    monkeypatch.setattr(deploy, "_run", run)
    monkeypatch.setattr("sys.argv", ["deploy", "destroy", "prod", "--confirm", "prod"])
    assert deploy.main() == 0
    assert done == ["AdmitOne-prod", destroy_command(PROD, confirmed=True)]


def test_where_nobody_has_confirmed_cdk_asks() -> None:
    assert "--force" not in destroy_command(DEV, confirmed=False)
    assert "--force" in destroy_command(DEV, confirmed=True)


def test_the_address_for_alarms_is_set_for_once() -> None:
    assert find_stage("dev", alarm_email="a@example.com") == replace(DEV, alarm_email="a@example.com")
