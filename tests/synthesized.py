"""The CDK app's template, for tests and whatever else reads it."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def synthesize(stage: str, out: Path, **more: str) -> dict[str, Any]:
    """The CloudFormation template of a stage, as plain JSON; no zips are made. `more` is further context."""
    from cdk.app import build  # starts Node, which takes two seconds: not for those who need no template

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Each resource tells its construct's path, as it does when the command line synthesizes.
    settings = {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}
    build({**context, **settings, **more, "stage": stage}, outdir=str(out)).synth()
    template: dict[str, Any] = json.loads((out / f"AdmitOne-{stage}.template.json").read_text())
    return template
