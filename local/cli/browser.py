"""`make e2e` and `make screenshots`: drive a real browser with Playwright against a temporary stack.

`python -m local.cli.browser test --url URL purchase` runs part of it against a stack that is already running.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local import ROOT
from local.cli.console import fail, step
from local.cli.run import FAILURES, LOGS, Stopped
from local.stack import temporary_stack

WEB = ROOT / "web"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WINDOWS = {"test": 45, "screenshots": 300}
"""Seconds that an order holds its ticket: short enough to observe a lapse in tests, the default for screenshots."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.cli.browser")
    parser.add_argument("project", choices=WINDOWS)
    parser.add_argument("--url", help="address of a running stack, for example http://127.0.0.1:3000")
    args, rest = parser.parse_known_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return fail(f"No browser found ({', '.join(BROWSERS)}).")
    window = WINDOWS[args.project]
    command = [str(WEB / "node_modules" / ".bin" / "playwright"), "test", f"--project={args.project}", *rest]
    try:
        with _stack(args.url, window) as url:
            environment = os.environ | {"ADMIT_ONE_URL": url, "ORDER_WINDOW_SECONDS": str(window), "CHROMIUM": browser}
            return subprocess.run(command, cwd=WEB, env=environment, check=False).returncode
    except FAILURES as error:
        return fail(error)
    except Stopped:
        return fail("Stopped.")


@contextmanager
def _stack(url: str | None, window: int) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with temporary_stack("browser", order_window_seconds=window, step=step, logs=LOGS / "browser") as stack:
        yield stack.url


def _stop(*_: object) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
