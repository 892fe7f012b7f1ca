"""The import rule that the import linter cannot express; `tool.importlinter` in pyproject.toml has the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests", "benchmarks", "metering")


def imports_of_test_modules(source: str) -> Iterator[str]:
    """Return the imported names that are, or belong to, a test module: `tests.unit.test_order.CREATED`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module, names):
                imported = [f"{module or ''}.{alias.name}" for alias in names]
            case _:
                continue
        yield from (name for name in imported if any(part.startswith("test_") for part in name.split(".")))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_imports_a_test_module(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in (ROOT / folder).rglob("*.py")
        if (names := [*imports_of_test_modules(path.read_text())])
    }

    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import tests.unit.test_order",
        "from tests.unit.test_order import CREATED",
        "from tests.unit import test_order",
        "from . import test_order",
        "def test() -> None:\n    from tests.unit.test_order import CREATED",
    ],
)
def test_every_form_of_such_an_import_is_found(source: str) -> None:
    assert [*imports_of_test_modules(source)]
