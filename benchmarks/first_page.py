"""The first page of the web client: its JavaScript, and Lighthouse on the built client and the local stack.

Lighthouse opens the page in Chromium as on a phone, and computes the times for a slow connection and processor from
what it has observed ("simulated throttling"). The scores for accessibility, best practices and SEO do not depend on the
machine; times and the score for performance do.
"""

import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Callable
from typing import Any

from benchmarks.result import Result, spread
from local.api_client import Client
from local.cli.browser import BROWSERS
from local.edge.web_client import DIST
from local.stack import LOCAL, temporary_stack

RUNS = 5
TICKETS = 25
"""More than one page of the list."""
JAVASCRIPT_TARGET = 75.0
"""kB, gzipped. The build fails above (web/budget.ts)."""
SHIFT_TARGET = 0.02
FULL_SCORE = 100
FLAGS = "--headless=new --disable-gpu" + (" --no-sandbox" if os.geteuid() == 0 else "")

type Report = dict[str, Any]


def measure() -> list[Result]:
    """The medians of five runs of Lighthouse."""
    with temporary_stack("first-page", order_window_seconds=300, logs=LOCAL / "logs" / "first-page") as stack:
        _put_tickets_on_sale(stack.api)
        reports = [_lighthouse(stack.url) for _ in range(RUNS)]
    return [
        Result(what="first page: JavaScript", figure=javascript_kilobytes(), unit="kB", target=JAVASCRIPT_TARGET),
        _score(reports, "performance", target=None),
        *(_score(reports, each, target=FULL_SCORE) for each in ("accessibility", "best-practices", "seo")),
        _median(reports, "first contentful paint", "s", lambda report: _audit(report, "first-contentful-paint") / 1000),
        _median(
            reports, "largest contentful paint", "s", lambda report: _audit(report, "largest-contentful-paint") / 1000
        ),
        _median(reports, "blocking time", "ms", lambda report: _audit(report, "total-blocking-time")),
        _median(
            reports,
            "layout shift",
            "score",
            lambda report: _audit(report, "cumulative-layout-shift"),
            target=SHIFT_TARGET,
        ),
    ]


def javascript_kilobytes() -> float:
    """The gzipped size of the scripts that the first page names, in kB. Other chunks are loaded later."""
    names = re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', (DIST / "index.html").read_text())
    return sum(len(gzip.compress((DIST / name).read_bytes())) for name in names) / 1000


def _put_tickets_on_sale(api: Client) -> None:
    seller = api.sign_up_or_in("seller@example.com", "correct horse battery")
    for row in range(TICKETS):
        seller.post("/api/tickets", {"title": f"Evening concert, row {row}", "price": "45.00"}).expect(201)


def _lighthouse(url: str) -> Report:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RuntimeError(f"No browser found ({', '.join(BROWSERS)}).")
    command = [
        str(LOCAL / "lighthouse" / "node_modules" / ".bin" / "lighthouse"),
        *(url, "--output=json", "--quiet", "--no-enable-error-reporting", f"--chrome-flags={FLAGS}"),
    ]
    environment = os.environ | {"CHROME_PATH": browser}
    run = subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603
    report: Report = json.loads(run.stdout)
    if "runtimeError" in report:
        raise RuntimeError(f"Lighthouse: {report['runtimeError']['message']}")
    return report


def _audit(report: Report, name: str) -> float:
    return float(report["audits"][name]["numericValue"])


def _score(reports: list[Report], category: str, *, target: float | None) -> Result:
    def score(report: Report) -> float:
        return float(round(report["categories"][category]["score"] * FULL_SCORE))

    what = f"Lighthouse, {category.replace('-', ' ')}"
    return _median(reports, what, "points", score, target=target, at_least=True)


def _median(
    reports: list[Report],
    what: str,
    unit: str,
    figure: Callable[[Report], float],
    *,
    target: float | None = None,
    at_least: bool = False,
) -> Result:
    figures = [figure(report) for report in reports]
    return Result(
        what=f"first page: {what}",
        figure=statistics.median(figures),
        unit=unit,
        target=target,
        at_least=at_least,
        spread=spread(figures),
    )
