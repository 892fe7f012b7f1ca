"""The size of each deployed zip."""

import shutil
import tempfile
from pathlib import Path

from benchmarks.result import Result
from cdk import bundle
from cdk.bundle import SERVICES, SHARED
from cdk.stages import read_stage

LARGEST = 11
SMALLER = {"orders": 8, "tickets": 8}
MEGABYTE = 1024 * 1024


def measure() -> list[Result]:
    """The zip of each service, built for the processor architecture of the deployed functions."""
    return [
        Result(
            what=f"zip of {'the relay' if service == SHARED else service}",
            figure=_size(service) / MEGABYTE,
            unit="MB",
            target=SMALLER.get(service, LARGEST),
        )
        for service in (*SERVICES, SHARED)
    ]


def _size(service: str) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        content = Path(temporary) / "content"
        bundle.bundle(service, content, architecture=read_stage("prod").architecture, local=False)
        return Path(shutil.make_archive(f"{temporary}/zip", "zip", content)).stat().st_size
