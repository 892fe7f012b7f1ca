"""The functions as deployed: the content of each zip, built for this machine, and the reference to compare with."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cdk import bundle
from cdk.stages import LOCAL, read_stage
from tests.support.synth import synthesize_stage

FOLDER = bundle.ROOT / ".local" / "benchmarks"
HERE = LOCAL.architecture


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: its package, the module of its handler, and its memory in MB."""

    name: str
    package: str
    module: str
    memory: int


@cache
def content(package: str) -> Path:
    """The unpacked zip of a package, built if it is missing."""
    made = FOLDER / bundle.fingerprint(package, architecture=HERE, local=True)
    if not made.exists():
        unfinished = made.with_suffix(".unfinished")
        bundle.bundle(package, unfinished, architecture=HERE, local=True)
        unfinished.rename(made)
    return made


def botocore_version() -> str:
    """The version of botocore in the zips; boto3 has the same."""
    pins = bundle.ROOT.joinpath("functions", "relay", "requirements.txt").read_text().split("\n")
    return next(line.split()[0].removeprefix("botocore==") for line in pins if line.startswith("botocore=="))


@cache
def unmodified_boto3() -> Path:
    """The same boto3 as pip installs it, compiled like our zips."""
    version = botocore_version()
    made = FOLDER / f"botocore-{version}"
    if not made.exists():
        unfinished = made.with_suffix(".unfinished")
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--target", str(unfinished)]
        subprocess.run([*uv, f"boto3=={version}"], check=True)  # noqa: S603
        compiled = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", str(unfinished)]
        subprocess.run(compiled, check=True)  # noqa: S603
        unfinished.rename(made)
    return made


def functions(template: dict[str, Any]) -> Iterator[Function]:
    """Every function of a stage that runs our code; the three relays count as one."""
    seen = set()
    for resource in template["Resources"].values():
        properties = resource["Properties"] if resource["Type"] == "AWS::Lambda::Function" else {}
        module = properties.get("Handler", "").removesuffix(".handler")
        if module in seen or not module.startswith("functions."):
            continue
        seen.add(module)
        _, package, trigger = module.split(".")
        name = package if package == trigger else f"{package} {trigger}"
        yield Function(name, package, module, properties["MemorySize"])


@cache
def template(stage: str = "prod") -> dict[str, Any]:
    """The CloudFormation template of a stage."""
    return synthesize_stage(read_stage(stage), FOLDER / "synthesized")
