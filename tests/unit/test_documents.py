"""What documents name exists: files and tests."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "functions/**/*.md", "*/README.md", ".github/**/*.md")
    for file in ROOT.glob(pattern)
    if "node_modules" not in file.parts
)
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))


@each_document
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


@each_document
def test_named_files_exist(document: Path) -> None:
    named = re.findall(r"`([\w.\-*]+(?:/[\w.\-*]*)+)`", document.read_text())
    paths = [path for path in named if path.partition("/")[0] in FOLDERS - {".local", "node_modules"}]
    assert [path for path in paths if not (any(ROOT.glob(path)) or any(document.parent.glob(path)))] == []


@each_document
def test_named_tests_exist(document: Path) -> None:
    assert set(re.findall(r"`(test_\w+)`", document.read_text())) <= _all_tests()


@cache
def _all_tests() -> set[str]:
    sources = (file.read_text() for file in (ROOT / "tests").rglob("*.py"))
    return {name for source in sources for name in re.findall(r"def (test_\w+)", source)}
