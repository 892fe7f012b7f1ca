"""`make deploy STAGE=` and `make destroy STAGE=`: run the CDK command line with the options of the stage."""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdk.stages import Stage, find_stage
from operations.stage import DeployedStage

ROOT = Path(__file__).resolve().parent.parent
CDK = str(ROOT / "node_modules" / ".bin" / "cdk")


def deploy_command(
    stage: Stage, *, outputs: Mapping[str, str], is_watched: bool, context: Sequence[str] = (), approval: str | None
) -> list[str]:
    """Return the CDK command that deploys the stage.

    `outputs` are the current outputs of its stack, empty before the first deployment. CloudFormation can only watch
    alarms that exist, so a first deployment is not watched. It keeps the rollback triggers of a stack, so a deployment
    that is not to be watched must remove them.
    """
    command = [CDK, "deploy", DeployedStage(stage.name).stack, *_context(stage, context)]
    if approval:
        command += ["--require-approval", approval]
    alarms = [alarm for alarm in outputs.get("RollbackAlarms", "").split(",") if alarm]
    if is_watched and alarms and stage.rollback_minutes:
        for alarm in alarms:
            command += ["--rollback-trigger-alarm-arns", alarm]
        command += ["--monitoring-time-minutes", str(stage.rollback_minutes)]
    elif outputs and stage.rollback_minutes:
        command += ["--rollback-trigger-alarm-arns", "none"]
    return command


def destroy_command(stage: Stage, *, confirmed: bool) -> list[str]:
    """Return the CDK command that destroys the stage. Unless `confirmed`, CDK asks for confirmation."""
    force = ["--force"] if confirmed else []
    return [CDK, "destroy", DeployedStage(stage.name).stack, *_context(stage), *force]


def remaining_resources(stage: Stage) -> str:
    """Return a message about the resources that remain after a stage was destroyed."""
    zips = "The functions' zips remain in the bootstrap bucket."
    if stage.keep_data:
        return (
            "Tables (still protected), secrets and logs stay and incur storage costs; a new stack of this stage creates"
            f" new ones. {zips}"
        )
    return f"Tables, secrets and logs go with it; DynamoDB keeps backups for up to 35 days. {zips}"


def _context(stage: Stage, context: Sequence[str] = ()) -> list[str]:
    given = [f"stage={stage.name}", *context]
    return [argument for each in given for argument in ("--context", each)]


def _stage(name: str) -> Stage:
    stage = find_stage(name)
    if stage.local:
        raise ValueError("the stage local cannot be deployed; use make run")
    return stage


def main() -> int:
    """Run the command; returns CDK's exit code, or 2 for an invalid stage or a missing confirmation."""
    parser = argparse.ArgumentParser(prog="python -m operations.deploy", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    deploy = verbs.add_parser("deploy")
    deploy.add_argument("--watch", choices=("yes", "no"), default="yes")
    deploy.add_argument("--approval", choices=("never", "any-change", "broadening"))
    deploy.add_argument("--context", action="append", default=[], help="such as alarmEmail=on-call@example.com")
    destroy = verbs.add_parser("destroy")
    destroy.add_argument("--confirm", default="", help="repeat the stage's name")
    for verb in (deploy, destroy):
        verb.add_argument("stage")
    asked = parser.parse_args()
    try:
        stage = _stage(asked.stage)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.verb == "deploy":
        return _run(
            deploy_command(
                stage,
                outputs=DeployedStage(stage.name).outputs() if stage.rollback_minutes else {},
                is_watched=asked.watch == "yes",
                context=asked.context,
                approval=asked.approval,
            )
        )
    confirmed = asked.confirm == stage.name
    if stage.keep_data and not confirmed:
        sys.stderr.write(f"{stage.name} keeps data. {remaining_resources(stage)}\nTo confirm: CONFIRM={stage.name}\n")
        return 2
    if stage.keep_data:
        DeployedStage(stage.name).allow_destruction()
    code = _run(destroy_command(stage, confirmed=confirmed))
    if code == 0:
        sys.stdout.write(f"{remaining_resources(stage)}\n")
    return code


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  # CDK with our own arguments


if __name__ == "__main__":
    sys.exit(main())
