"""The reports of benchmarks."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from ulid import ULID

from benchmarks import purchase_latency, report, rush
from benchmarks.result import Result, percentile, spread
from benchmarks.zips import botocore_version


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


def test_cold_starts_are_compared_with_the_botocore_of_the_zips() -> None:
    assert botocore_version() == version("botocore")


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


def test_a_percentile_lies_between_two_values() -> None:
    assert percentile(range(1, 102), 50) == 51
    assert percentile(range(1, 102), 99) == 100
    assert percentile([1, 2], 50) == 1.5


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.5), (1, 0.5), (3, 1.5), (60, 5)])
def test_the_purchase_is_read_as_rarely_as_by_the_page(waited: float, pause: float) -> None:
    assert purchase_latency.client_pause(waited) == pause


CONFIRMED = 1_700_000_000.0


def _id_of(seconds: float) -> str:
    return str(ULID.from_timestamp(CONFIRMED + seconds))


def _received(webhook: str, stripe_event: str, seconds: float) -> dict[str, str]:
    at = datetime.fromtimestamp(CONFIRMED + seconds, UTC).isoformat(timespec="milliseconds")
    line = {"message": "webhook received", "timestamp": at, "correlation_id": webhook, "stripe_id": "pi_1"}
    return {**line, "event_type": stripe_event}


def _handled(webhook: str, event_type: str, seconds: float) -> dict[str, str]:
    line = {"message": "event handled", "correlation_id": webhook, "event_type": event_type}
    return {**line, "causation_id": _id_of(seconds)}


def _lines() -> list[dict[str, str]]:
    return [
        _handled("first", "order:completed", 1.0),  # each log is read on its own, so lines have no order
        _handled("first", "order:completed", 1.0),  # and an event has several consumers
        _handled("first", "payment:authorized", 0.2),
        _handled("first", "order:awaiting-payment", 0.4),
        _handled("second", "payment:created", 0.7),  # published by the webhook of the capture
        _received("first", purchase_latency.AUTHORISED_AT_STRIPE, 0.1),
        _received("second", "payment_intent.succeeded", 0.6),
        {"message": "request", "correlation_id": "another"},
    ]


def test_hops_of_a_purchase_are_computed_from_log_lines_and_event_ids() -> None:
    purchase = purchase_latency.Purchase("pi_1", confirmed=CONFIRMED, shown=CONFIRMED + 1.05)
    [hops] = purchase_latency.hops_of(_lines(), [purchase])
    assert len(hops) == len(purchase_latency.HOPS)
    assert hops == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.3, 0.05], abs=0.002)


def test_a_purchase_without_all_its_events_has_no_hops() -> None:
    purchase = purchase_latency.Purchase("pi_1", confirmed=CONFIRMED, shown=CONFIRMED + 1.05)
    lines = [line for line in _lines() if line.get("event_type") != "payment:created"]
    assert purchase_latency.hops_of(lines, [purchase]) == [[]]


def _rush(*statuses: int) -> rush.Rush:
    run = rush.Rush(len(statuses))
    run.known = [(float(number), status) for number, status in enumerate(statuses, start=1)]
    run.requests.update({("POST /api/orders", "409"): len(statuses) - 1, ("POST /api/orders", "201"): 1})
    return run


def test_a_rush_reports_when_winner_and_last_loser_know() -> None:
    figures = {result.what.partition(": ")[2]: result.figure for result in rush.results_of(_rush(409, 201, 409))}
    assert figures == {
        "until the winner knows": 2,
        "until the last loser knows": 3,
        "POST /api/orders, 201": 1,
        "POST /api/orders, 409": 2,
    }


@pytest.mark.parametrize("statuses", [(409, 409), (201, 201), (201, 409, 503), (201, 409, 0)])
def test_a_rush_without_exactly_one_winner_yields_no_figure(statuses: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError):
        rush.results_of(_rush(*statuses))
