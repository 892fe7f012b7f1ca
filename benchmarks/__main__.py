"""`make bench`: measures every row of docs/performance.md. With --quick most of them, in six minutes."""

import argparse
import time
from collections.abc import Callable

from rich.table import Table

from benchmarks import (
    calls,
    cold_start,
    cost,
    first_page,
    flash_sale,
    lag,
    newcomer,
    packages,
    profiles,
    purchase_latency,
    repairs,
    report,
    rush,
    rush_reads,
    warm,
)
from benchmarks.result import Result
from local.cli.console import console, step

POINTS: dict[str, Callable[[bool], list[Result]]] = {
    "Cold start": lambda quick: cold_start.measure(quick=quick),
    "Warm requests": lambda quick: warm.measure(quick=quick),
    "Profiles": lambda _quick: profiles.measure(),
    "Calls and units": lambda _quick: calls.measure(),
    "A million paid orders": lambda _quick: cost.measure(),
    "Flash sale": lambda quick: flash_sale.measure(quick=quick),
    "Repairs": lambda quick: repairs.measure(quick=quick),
    "Reads of a rush": lambda _quick: rush_reads.measure(),
    "Packages": lambda _quick: packages.measure(),
    "First page": lambda _quick: first_page.measure(),
    "Lag": lambda _quick: lag.measure(),
    "From card to ticket": lambda quick: purchase_latency.measure(quick=quick),
    "Rush": lambda quick: rush.measure(quick=quick),
    "Newcomer": lambda _quick: newcomer.measure(),
}
NOT_QUICK = (
    "Profiles",
    "Reads of a rush",
    "First page",
    "Lag",
    "Newcomer",
)  # these keep the figures of the last full run


def main() -> None:
    """Run the benchmarks, print the results and store them."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true")
    quick: bool = parser.parse_args().quick
    began = time.monotonic()
    found: list[Result] = []
    for title, measure in POINTS.items():
        if quick and title in NOT_QUICK:
            continue
        with step(title):
            results = measure(quick)
        console.print(_shown(results))
        found += results
    report.write(report.merge(report.read() if quick else [], found), quick=quick)
    missed = sum(result.holds is False for result in found)
    console.print(
        f"\n{len(found)} figures in {time.monotonic() - began:.0f} s, {missed} missed their target. "
        "They are in benchmarks/results.json and docs/performance.md."
    )


def _shown(results: list[Result]) -> Table:
    shown = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("what", "figure", "", "spread", "target", "holds"):
        shown.add_column(column, justify="left" if column in ("what", "", "holds") else "right")
    for result in results:
        verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[result.holds]
        optional = ("" if value is None else report.number(value) for value in (result.spread, result.target))
        shown.add_row(result.what, report.number(result.figure), result.unit, *optional, verdict)
    return shown


if __name__ == "__main__":
    main()
