"""The CDK commands for a stage."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk.stages import Stage, read_stage
from operations import deploy
from operations.deploy import deploy_command, destroy_command, firewall_command, remaining_resources, removed_settings
from operations.stage import DeployedStage
from tests.support.grants import FROM
from tests.support.synth import synthesize_stage

PROD, DEV = replace(read_stage("prod"), alarm_email="on-call@example.com"), read_stage("dev")
ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/one/two"
ALARMS = {"RollbackAlarms": "arn:aws:cloudwatch:x:1:alarm:a,arn:aws:cloudwatch:x:1:alarm:b"}


def _options(command: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(command) if option == name]


def test_production_deploys_with_rollback_alarms() -> None:
    """The alarms are those of the deployed stack."""
    command = deploy_command(PROD, outputs=ALARMS, web_acl_arn=None, is_watched=True, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ALARMS["RollbackAlarms"].split(",")
    assert _options(command, "--monitoring-time-minutes") == ["15"]
    assert command[1:3] == ["deploy", "AdmitOne-prod"]


def test_a_first_deployment_has_no_rollback_alarms() -> None:
    command = deploy_command(PROD, outputs={}, web_acl_arn=None, is_watched=True, approval=None)
    assert "--rollback-trigger-alarm-arns" not in command


def test_a_fix_is_deployed_despite_an_active_alarm() -> None:
    command = deploy_command(PROD, outputs=ALARMS, web_acl_arn=None, is_watched=False, approval=None)
    assert _options(command, "--rollback-trigger-alarm-arns") == ["none"]


def test_dev_has_no_rollback_alarms() -> None:
    command = deploy_command(DEV, outputs=ALARMS, web_acl_arn=None, is_watched=True, approval="never")
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


class Operations:
    """What a command does, in order: changes of the protection and CDK's verb and stack. CDK exits with `code`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stage: Stage, template: dict[str, Any] | None = None) -> None:
        self.done: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.code = 0
        monkeypatch.setattr(deploy, "_run", self._run)
        monkeypatch.setattr(deploy, "find_stage", lambda _: stage)
        monkeypatch.setattr(DeployedStage, "template", lambda _: template or {})
        monkeypatch.setattr(DeployedStage, "outputs", lambda _: ALARMS)
        monkeypatch.setattr(DeployedStage, "web_acl_arn", lambda _: ACL)
        monkeypatch.setattr(DeployedStage, "set_protection", lambda _, *, is_protected: self._protect(is_protected))
        self._argv = monkeypatch

    def main(self, *arguments: str) -> int:
        self._argv.setattr("sys.argv", ["deploy", *arguments])
        return deploy.main()

    def _run(self, command: Sequence[str]) -> int:
        self.commands.append(command)
        self.done.append(" ".join(command[1:3]))
        if self.code < 0:
            raise KeyboardInterrupt
        return self.code

    def _protect(self, is_protected: bool) -> None:
        self.done.append("protect" if is_protected else "unprotect")


def test_destroying_removes_protection_after_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(monkeypatch, PROD)
    assert operations.main("destroy", "prod") == 2
    assert operations.done == []
    assert operations.main("destroy", "prod", "--confirm", "prod") == 0
    assert operations.done == ["unprotect", "destroy AdmitOne-prod", "destroy AdmitOneFirewall-prod"]


@pytest.mark.parametrize("code", [1, -1])
def test_a_stack_that_was_not_destroyed_is_protected_again(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """CDK fails, or the operator presses Ctrl-C."""
    operations = Operations(monkeypatch, PROD)
    operations.code = code
    if code < 0:
        with pytest.raises(KeyboardInterrupt):
            operations.main("destroy", "prod", "--confirm", "prod")
    else:
        assert operations.main("destroy", "prod", "--confirm", "prod") == 1
    assert operations.done == ["unprotect", "destroy AdmitOne-prod", "protect"]


def test_a_stack_that_cannot_be_protected_again_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_stage: DeployedStage, *, is_protected: bool) -> None:
        if is_protected:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "DELETE_IN_PROGRESS"}}, "Update")

    operations = Operations(monkeypatch, PROD)
    monkeypatch.setattr(DeployedStage, "set_protection", refuse)
    operations.code = 1
    assert operations.main("destroy", "prod", "--confirm", "prod") == 1
    assert "not protected" in capsys.readouterr().err


def test_without_confirmation_cdk_asks() -> None:
    commands = [
        destroy_command(DEV, stack="AdmitOne-dev", web_acl_arn=None, confirmed=confirmed) for confirmed in (False, True)
    ]
    assert ["--force" in command for command in commands] == [False, True]


def test_the_firewall_is_deployed_first_and_its_acl_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(monkeypatch, PROD)
    assert operations.main("deploy", "prod") == 0
    firewall, stage = operations.commands
    assert firewall == firewall_command(PROD, approval=None)
    assert not any("webAclArn" in argument for argument in firewall)
    assert f"webAclArn={ACL}" in _options([*stage], "--context")
    operations.code, operations.done = 1, []
    assert operations.main("deploy", "prod") == 1
    assert operations.done == ["deploy AdmitOneFirewall-prod"]


def test_a_deployment_that_removes_settings_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unless it is confirmed by the stage's name."""
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/one"
    full = replace(PROD, domain_name="tickets.example", certificate_arn=certificate, web_acl_arn=ACL, mail_from=FROM)
    deployed = synthesize_stage(full, tmp_path)
    assert removed_settings(full, deployed) == []
    assert removed_settings(replace(DEV, name="prod"), deployed) == [
        "alarm_email",
        "certificate_arn",
        "domain_name",
        "firewall",
        "keep_data",
        "mail_from",
    ]
    assert removed_settings(DEV, {}) == []

    operations = Operations(monkeypatch, PROD, deployed)
    assert operations.main("deploy", "prod") == 2
    assert operations.main("deploy", "prod", "--confirm", "dev") == 2
    assert operations.done == []
    assert operations.main("deploy", "prod", "--confirm", "prod") == 0
