"""The lock files: one version of each package everywhere, pinned by hash, without an index address."""

import json
import re
from pathlib import Path

import pytest

from cdk.bundle import PACKAGES
from tests.support.synth import ROOT

LOCKED = [
    ROOT / "requirements.txt",
    ROOT / "requirements-dev.txt",
    *(ROOT / "functions" / package / "requirements.txt" for package in PACKAGES),
]

each_file = pytest.mark.parametrize("file", LOCKED, ids=lambda file: str(file.relative_to(ROOT)))


def _pins(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", file.read_text(), flags=re.MULTILINE))


@each_file
def test_tested_packages_are_the_deployed_ones(file: Path) -> None:
    tested = _pins(ROOT / "requirements-dev.txt")
    assert _pins(file).items() <= tested.items()


@each_file
def test_every_package_is_locked_by_hash(file: Path) -> None:
    packages = re.split(r"\n(?=[a-z])", file.read_text())[1:]
    assert len(packages) == len(_pins(file)) > 0
    assert all("--hash=sha256:" in package for package in packages)


@each_file
def test_lock_files_hold_no_address(file: Path) -> None:
    assert "://" not in file.read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_includes_what_every_function_needs(package: str) -> None:
    needed = _pins(ROOT / "functions" / "relay" / "requirements.txt")  # the relay adds nothing of its own
    assert needed.items() <= _pins(ROOT / "functions" / package / "requirements.txt").items()


def test_the_cdk_command_line_is_pinned_without_an_address() -> None:
    expected = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    lock = (ROOT / "package-lock.json").read_text()
    assert json.loads(lock)["packages"]["node_modules/aws-cdk"]["version"] == expected
    assert "resolved" not in lock
    assert "://" not in lock
