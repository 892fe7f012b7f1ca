"""What every layer of tests may use."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import grants

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _roles() -> Iterator[None]:
    """No function calls what its role on AWS would not allow."""
    with grants.enforced():
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The CloudFormation template of an AWS stage, as plain JSON."""
    return _synthesize("dev", tmp_path_factory)


@pytest.fixture(scope="session")
def local_template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template that `make run` deploys."""
    return _synthesize("local", tmp_path_factory)


def _synthesize(stage: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from cdk.app import build  # starts Node, which takes two seconds: not for those who need no template

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    out = tmp_path_factory.mktemp(f"cdk-{stage}")
    # No zips are made; each resource tells its construct's path, as it does when the command line synthesizes.
    settings = {"aws:cdk:bundling-stacks": [], "aws:cdk:enable-path-metadata": True}
    build({**context, **settings, "stage": stage}, outdir=str(out)).synth()
    template: dict[str, Any] = json.loads((out / f"AdmitOne-{stage}.template.json").read_text())
    return template
