"""Cold start: the garbage collector while a function loads."""

import json
import subprocess
import sys

import pytest

from tests.support.synth import ROOT
from tests.support.worker_pool import FUNCTIONS

PROGRAM = """
import gc, json, sys

def searches():
    return sum(generation["collections"] for generation in gc.get_stats())

usual = gc.get_threshold()
gc.collect()  # what Python has loaded until here is not ours
before = searches()
import {module}
loading = searches() - before
from shared import aws
aws.dynamodb()
kept = gc.get_freeze_count()
before = searches()
garbage = [[[]] for _ in range(10 * usual[0])]
print(json.dumps([loading, kept, gc.get_threshold() == usual, searches() - before]))
"""


def observe(module: str) -> tuple[int, int, bool, int]:
    """Return collections while loading, frozen objects, whether thresholds are the default, collections afterwards."""
    program = PROGRAM.format(module=module)
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "test",
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    loading, kept, is_usual, working = json.loads(ran.stdout)
    return loading, kept, is_usual, working


@pytest.mark.parametrize("module", [f"functions.{name}" for name in ("relay.relay", *FUNCTIONS)])
def test_garbage_collection_starts_only_after_loading(module: str) -> None:
    loading, kept, is_usual, working = observe(module)

    assert loading == 0
    assert kept > 10_000
    assert is_usual
    assert working > 0


def test_a_tool_that_imports_a_function_collects_as_usual() -> None:
    program = "import gc; usual = gc.get_threshold(); import functions.orders.api; assert gc.get_threshold() == usual"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)  # noqa: S603
