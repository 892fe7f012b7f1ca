"""No function of the product or its tools is longer than a screen; ruff has no rule that counts lines."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 70
PACKAGES = ("functions", "shared", "cdk", "local", "stripe_emulator", "operations", "tools", "metering", "benchmarks")


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_have_at_most_70_lines(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LIMIT
    ]
    assert not long
