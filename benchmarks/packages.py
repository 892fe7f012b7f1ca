"""The size of each deployed zip."""

import shutil
import tempfile
from pathlib import Path

from benchmarks.result import Result
from cdk import bundle
from cdk.bundle import PACKAGES
from cdk.stages import read_stage

LARGEST = 11
SMALLER = {"orders": 8, "tickets": 8}
MEGABYTE = 1024 * 1024


def measure() -> list[Result]:
    """The zip of each package of functions, built for the processor architecture of the deployed functions."""
    return [
        Result(
            what=f"zip of {package}",
            figure=_size(package) / MEGABYTE,
            unit="MB",
            target=SMALLER.get(package, LARGEST),
        )
        for package in PACKAGES
    ]


def _size(package: str) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        content = Path(temporary) / "content"
        bundle.bundle(package, content, architecture=read_stage("prod").architecture, local=False)
        return Path(shutil.make_archive(f"{temporary}/zip", "zip", content)).stat().st_size
