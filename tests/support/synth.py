"""The CDK app's template, for tests and tools."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


def synthesize(stage: str, out: Path, **more: str) -> dict[str, Any]:
    """Return a stage's CloudFormation template as plain JSON, without building zips. `more` is further context."""
    from cdk.app import build  # imported here because it starts Node, which takes two seconds

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Adds each resource's construct path to its metadata, as the command line does.
    settings = {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}
    build({**context, **settings, **more, "stage": stage}, outdir=str(out)).synth()
    template: dict[str, Any] = json.loads((out / f"AdmitOne-{stage}.template.json").read_text())
    return template
