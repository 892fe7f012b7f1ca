"""The output of a benchmark run: results.json, and the tables in docs/performance.md."""

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from cdk.bundle import ROOT

RESULTS = Path(__file__).with_name("results.json")
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"


def merge(known: Iterable[Mapping[str, Any]], found: Sequence[Result]) -> list[dict[str, Any]]:
    """Replace older results by new ones of the same name; results that a quick run leaves out are kept."""
    rows = {row["what"]: dict(row) for row in known} | {result.what: result.as_json() for result in found}
    return list(rows.values())


def write(rows: Sequence[Mapping[str, Any]], *, quick: bool) -> None:
    """Store the results and put the table into the document, with the date and the machine."""
    made = f"`make bench{' QUICK=1' if quick else ''}` of {datetime.now(UTC):%Y-%m-%d}, on {machine()}."
    _store(rows, made)


def update(found: Sequence[Result]) -> None:
    """Replace results that are computed and need no measurement; date and machine are those of the others."""
    _, _, rest = DOCUMENT.read_text().partition(f"{BEGIN}\n")
    made, _, _ = rest.partition("\n")
    _store(merge(read(), found), made)


def _store(rows: Sequence[Mapping[str, Any]], made: str) -> None:
    RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    DOCUMENT.write_text(between(DOCUMENT.read_text(), BEGIN, END, f"{made}\n\n{table(rows)}"))


def between(text: str, begin: str, end: str, content: str) -> str:
    """Replace what a document has between two markers. Raises ValueError if one is missing."""
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"the document has no {begin} with an {end}")
    return f"{before}{begin}\n{content}{end}{after}"


def read() -> list[dict[str, Any]]:
    """Read the results of earlier runs."""
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return rows


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as Markdown, each with its verdict."""
    lines = ["| what | figure | spread | target | holds |", "|---|--:|--:|--:|---|"]
    for row in rows:
        target = "" if row["target"] is None else number(row["target"])
        distance = "" if row["spread"] is None else number(row["spread"])
        lines.append(
            f"| {row['what']} | {number(row['figure'])} {row['unit']} | {distance} | {target} | {verdict(row)} |"
        )
    return "\n".join(lines) + "\n"


def verdict(row: Mapping[str, Any]) -> str:
    """`yes`, `**no**`, or empty if there is no target."""
    return {True: "yes", False: "**no**", None: ""}[row["holds"]]


def number(value: float) -> str:
    """Format with at least three significant digits and at most two decimals."""
    return f"{value:.2f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def machine() -> str:
    """Describe the machine."""
    return f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}"
