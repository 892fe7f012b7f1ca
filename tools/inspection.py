"""Part of `make check`: run cdk-nag's AwsSolutions rules on each kind of stage, and write the templates for cfn-lint.

Accepted findings are suppressed where the resource is defined, with the reason (`cdk.nag_suppressions`).
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import aws_cdk
import cdk_nag

from cdk.firewall import FirewallStack
from cdk.stack import AdmitOneStack
from cdk.stages import read_stage

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".local" / "inspected"
STAGES = ("dev", "prod")


def main() -> int:
    """Write one template per stage to `.local/inspected`. Prints findings and returns 1 if there are any."""
    shutil.rmtree(OUT, ignore_errors=True)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    settings = {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}  # build no zips
    app = aws_cdk.App(context={**context, **settings}, outdir=str(OUT))
    for name in STAGES:
        stage = replace(read_stage(name), alarm_email="on-call@example.com", mail_from="mail@tickets.example.com")
        AdmitOneStack(app, f"AdmitOne-{name}", stage=stage)
        if stage.firewall:
            FirewallStack(app, f"AdmitOneFirewall-{name}", stage=stage)
    aws_cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
