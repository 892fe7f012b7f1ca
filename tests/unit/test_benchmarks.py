"""The reports of benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.result import Result, spread


@pytest.mark.parametrize(
    ("figure", "target", "at_least", "holds"),
    [
        (1.0, None, False, None),
        (1.0, 1.0, False, True),
        (1.01, 1.0, False, False),
        (0.7, 0.7, True, True),
        (0.69, 0.7, True, False),
    ],
)
def test_a_target_is_an_upper_or_a_lower_bound(
    figure: float, target: float | None, at_least: bool, holds: bool | None
) -> None:
    result = Result(what="it", figure=figure, unit="s", target=target, at_least=at_least)
    assert result.holds is holds
    assert result.as_json() == {
        "what": "it", "figure": figure, "unit": "s", "target": target, "spread": None, "holds": holds
    }  # fmt: skip


def test_the_spread_is_the_interquartile_range() -> None:
    assert spread([1, 2, 3, 4, 5, 6, 7]) == 4
    assert spread([5, 5, 5]) == 0


def test_a_newer_figure_replaces_only_its_predecessor() -> None:
    known = [Result(what=name, figure=1, unit="s").as_json() for name in ("first", "second")]
    merged = report.merge(known, [Result(what="second", figure=2, unit="s"), Result(what="third", figure=3, unit="s")])
    assert [(row["what"], row["figure"]) for row in merged] == [("first", 1), ("second", 2), ("third", 3)]


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.50"), (5, "5"), (99.994, "99.99"), (129.89, "130")])
def test_figures_are_rounded_to_significant_digits(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_the_document_shows_the_latest_results() -> None:
    rows = json.loads(report.RESULTS.read_text())
    assert {frozenset(row) for row in rows} == {frozenset({"what", "figure", "unit", "target", "holds", "spread"})}
    text = report.DOCUMENT.read_text()
    assert report.table(rows) + report.END in text


def test_a_run_leaves_the_rest_of_the_document_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(report, "DOCUMENT", tmp_path / "performance.md")
    report.DOCUMENT.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    rows = [Result(what="it", figure=1.5, unit="s", target=1, spread=0.25).as_json()]

    report.write(rows, quick=True)

    text = report.DOCUMENT.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n`make bench QUICK=1` of ")
    assert text.endswith(f"| it | 1.50 s | 0.25 | 1 | **no** |\n{report.END}\nafter\n")
    assert report.read() == rows


def test_a_computed_figure_keeps_the_date_of_the_measured_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(report, "DOCUMENT", tmp_path / "performance.md")
    report.DOCUMENT.write_text(f"before\n{report.BEGIN}\n{report.END}\nafter\n")
    report.write([Result(what=name, figure=1, unit="s").as_json() for name in ("cost", "lag")], quick=False)
    written = report.DOCUMENT.read_text()

    report.update([Result(what="cost", figure=2, unit="s")])

    assert report.DOCUMENT.read_text() == written.replace("| cost | 1 s |", "| cost | 2 s |")
