"""`make deploy STAGE=` and `make destroy STAGE=`: run the CDK command line with the options of the stage.

The settings of a stage are in `stages/<stage>.toml`. A deployment that would remove what the stage has now, such as its
domain, must be confirmed.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cdk.stages import Stage, find_stage
from operations.stage import DeployedStage

ROOT = Path(__file__).resolve().parent.parent
CDK = str(ROOT / "node_modules" / ".bin" / "cdk")


def deploy_command(
    stage: Stage, *, outputs: Mapping[str, str], web_acl_arn: str | None, is_watched: bool, approval: str | None
) -> list[str]:
    """Return the CDK command that deploys the stage.

    `outputs` are the current outputs of its stack, empty before the first deployment. CloudFormation can only watch
    alarms that exist, so a first deployment is not watched. It keeps the rollback triggers of a stack, so a deployment
    that is not to be watched must remove them.
    """
    command = [CDK, "deploy", DeployedStage(stage.name).stack, *_context(stage, web_acl_arn), *_approval(approval)]
    alarms = [alarm for alarm in outputs.get("RollbackAlarms", "").split(",") if alarm]
    if is_watched and alarms and stage.rollback_minutes:
        for alarm in alarms:
            command += ["--rollback-trigger-alarm-arns", alarm]
        command += ["--monitoring-time-minutes", str(stage.rollback_minutes)]
    elif outputs and stage.rollback_minutes:
        command += ["--rollback-trigger-alarm-arns", "none"]
    return command


def firewall_command(stage: Stage, *, approval: str | None) -> list[str]:
    """Return the CDK command that deploys the stage's firewall, which must exist before the stage's stack."""
    return [CDK, "deploy", DeployedStage(stage.name).firewall_stack, *_context(stage, None), *_approval(approval)]


def destroy_command(stage: Stage, *, stack: str, web_acl_arn: str | None, confirmed: bool) -> list[str]:
    """Return the CDK command that destroys a stack of the stage. Unless `confirmed`, CDK asks for confirmation.

    The app has the stage's stack only with a web ACL, which may be gone by now; any value will do.
    """
    force = ["--force"] if confirmed else []
    return [CDK, "destroy", stack, *_context(stage, web_acl_arn or "none"), *force]


def removed_settings(stage: Stage, template: Mapping[str, Any]) -> list[str]:
    """Return the settings that the deployed template has and the stage lacks, which a deployment would remove."""
    kept = {
        "alarm_email": stage.alarm_email,
        "certificate_arn": stage.certificate_arn,
        "domain_name": stage.domain_name,
        "firewall": stage.firewall or stage.web_acl_arn,
        "keep_data": stage.keep_data,
        "mail_from": stage.mail_from,
    }
    return sorted(name for name in set(_deployed_settings(template)) if not kept[name])


def _deployed_settings(template: Mapping[str, Any]) -> Iterator[str]:
    for resource in template.get("Resources", {}).values():
        match resource:
            case {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}}:
                if config.get("Aliases"):
                    yield "domain_name"
                if config.get("ViewerCertificate", {}).get("AcmCertificateArn"):
                    yield "certificate_arn"
                if config.get("WebACLId"):
                    yield "firewall"
            case {"Type": "AWS::SNS::Subscription"}:
                yield "alarm_email"
            case {"Type": "AWS::DynamoDB::Table", "Properties": {"DeletionProtectionEnabled": True}}:
                yield "keep_data"
            case {"Type": "AWS::SES::EmailIdentity"}:
                yield "mail_from"


def remaining_resources(stage: Stage) -> str:
    """Return a message about the resources that remain after a stage was destroyed."""
    zips = "The functions' zips remain in the bootstrap bucket."
    if stage.keep_data:
        return (
            "Tables (still protected), secrets and logs stay and incur storage costs; a new stack of this stage creates"
            f" new ones. {zips}"
        )
    return f"Tables, secrets and logs go with it; DynamoDB keeps backups for up to 35 days. {zips}"


def deploy(stage: Stage, *, is_watched: bool, approval: str | None, confirmed: bool) -> int:
    """Deploy the firewall, if the stage has one, and then the stage. Returns CDK's exit code, or 2 for a refusal."""
    deployed = DeployedStage(stage.name)
    removed = removed_settings(stage, deployed.template())
    if removed and not confirmed:
        sys.stderr.write(
            f"{stage.name} is deployed with settings that this deployment would remove: {', '.join(removed)}.\n"
            f"Set them in stages/{stage.name}.toml, or confirm their removal: CONFIRM={stage.name}\n"
        )
        return 2
    if stage.firewall and (code := _run(firewall_command(stage, approval=approval))):
        return code
    return _run(
        deploy_command(
            stage,
            outputs=deployed.outputs() if stage.rollback_minutes else {},
            web_acl_arn=deployed.web_acl_arn() if stage.firewall else None,
            is_watched=is_watched,
            approval=approval,
        )
    )


def destroy(stage: Stage, *, confirmed: bool) -> int:
    """Destroy the stage and then its firewall. Returns CDK's exit code, or 2 for a missing confirmation.

    If CDK fails or is interrupted, the stack gets its protection back.
    """
    deployed = DeployedStage(stage.name)
    if stage.keep_data and not confirmed:
        sys.stderr.write(f"{stage.name} keeps data. {remaining_resources(stage)}\nTo confirm: CONFIRM={stage.name}\n")
        return 2
    web_acl_arn = deployed.web_acl_arn() if stage.firewall else None
    if stage.keep_data:
        deployed.set_protection(is_protected=False)
    code = 1
    try:
        code = _run(destroy_command(stage, stack=deployed.stack, web_acl_arn=web_acl_arn, confirmed=confirmed))
    finally:
        if code and stage.keep_data:
            _protect_again(deployed)
    if code == 0 and web_acl_arn:
        code = _run(destroy_command(stage, stack=deployed.firewall_stack, web_acl_arn=web_acl_arn, confirmed=True))
    if code == 0:
        sys.stdout.write(f"{remaining_resources(stage)}\n")
    return code


def _protect_again(deployed: DeployedStage) -> None:
    try:
        deployed.set_protection(is_protected=True)
    except ClientError as error:  # such as a deletion that has begun
        sys.stderr.write(f"{deployed.stack} is not protected against termination any more: {error}\n")


def _context(stage: Stage, web_acl_arn: str | None) -> list[str]:
    acl = ["--context", f"webAclArn={web_acl_arn}"] if stage.firewall and web_acl_arn else []
    return ["--context", f"stage={stage.name}", *acl]


def _approval(approval: str | None) -> list[str]:
    return ["--require-approval", approval] if approval else []


def _stage(name: str) -> Stage:
    stage = find_stage(name)
    if stage.local:
        raise ValueError("the stage local cannot be deployed; use make run")
    return stage


def main() -> int:
    """Run the command; returns CDK's exit code, or 2 for an invalid stage or a missing confirmation."""
    parser = argparse.ArgumentParser(prog="python -m operations.deploy", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    deploying = verbs.add_parser("deploy")
    deploying.add_argument("--watch", choices=("yes", "no"), default="yes")
    deploying.add_argument("--approval", choices=("never", "any-change", "broadening"))
    destroying = verbs.add_parser("destroy")
    for verb in (deploying, destroying):
        verb.add_argument("stage")
        verb.add_argument("--confirm", default="", help="repeat the stage's name")
    arguments = parser.parse_args()
    try:
        stage = _stage(arguments.stage)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    confirmed = arguments.confirm == stage.name
    if arguments.verb == "deploy":
        return deploy(stage, is_watched=arguments.watch == "yes", approval=arguments.approval, confirmed=confirmed)
    return destroy(stage, confirmed=confirmed)


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  # CDK with our own arguments


if __name__ == "__main__":
    sys.exit(main())
