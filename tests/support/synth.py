"""The CDK app's template, for tests and tools."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.grants import FROM

if TYPE_CHECKING:
    from cdk.stages import Stage

ROOT = Path(__file__).resolve().parent.parent.parent


def synthesize(stage: str, out: Path) -> dict[str, Any]:
    """Return a stage's CloudFormation template as plain JSON, without building zips."""
    from cdk.app import build  # imported here because it starts Node, which takes two seconds

    build({**_context(), "stage": stage}, outdir=str(out)).synth()
    template: dict[str, Any] = json.loads((out / f"AdmitOne-{stage}.template.json").read_text())
    return template


def synthesize_with_sender(stage: str, out: Path) -> dict[str, Any]:
    """Return the CloudFormation template of a stage that also sends mails."""
    from cdk.stages import read_stage

    return synthesize_stage(replace(read_stage(stage), mail_from=FROM), out, stack=f"AdmitOne-{stage}")


def synthesize_stage(stage: "Stage", out: Path, *, stack: str = "Stack") -> dict[str, Any]:
    """Return the CloudFormation template of a stage with any settings, in a stack of this name."""
    from aws_cdk import App

    from cdk.stack import AdmitOneStack

    app = App(context=_context(), outdir=str(out))
    AdmitOneStack(app, stack, stage=stage)
    app.synth()
    template: dict[str, Any] = json.loads((out / f"{stack}.template.json").read_text())
    return template


def _context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Adds each resource's construct path to its metadata, as the command line does.
    return {**context, "aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}
