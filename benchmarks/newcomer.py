"""The waiting time of a newcomer who has just cloned the project: `make run` until it answers, and all tests."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.result import Result
from benchmarks.zips import FOLDER
from cdk.bundle import ROOT
from local.api_client import Client
from local.supervision.ports import HOST, Ports

SECOND_TIME_TARGET = 30
TESTS_TARGET = 180
TIMEOUT_SECONDS = 900
CLONE = FOLDER / "clone"


def measure() -> list[Result]:
    """Time the first run in a clean clone, the second run, and `make test`."""
    shutil.rmtree(CLONE, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(CLONE)], check=True)  # noqa: S603, S607
    ports = Ports.free()
    first, second = (_seconds_to_ready(CLONE, ports) for _ in range(2))
    tests = _tests(CLONE)
    shutil.rmtree(CLONE)
    return [
        Result(what="newcomer: first `make run`", figure=first, unit="s"),
        Result(what="newcomer: second `make run`", figure=second, unit="s", target=SECOND_TIME_TARGET),
        Result(what="newcomer: `make test`", figure=tests, unit="s", target=TESTS_TARGET),
    ]


def _seconds_to_ready(checkout: Path, ports: Ports) -> float:
    """Seconds until the API answers; then it is stopped. Uses this machine's package caches."""
    chosen = {"PORT": ports.edge_proxy, "AWS_PORT": ports.aws, "STRIPE_PORT": ports.stripe, "SMTP_PORT": ports.smtp}
    environment = _environment() | {name: str(port) for name, port in chosen.items()}
    api = Client(f"http://{HOST}:{ports.edge_proxy}")
    began = time.monotonic()
    log = FOLDER / "run.log"
    with log.open("w") as output:
        run = subprocess.Popen(
            ["make", "run"],  # noqa: S607
            cwd=checkout,
            env=environment,
            stdout=output,
            stderr=output,
            process_group=0,
        )
        try:
            while not (api.is_there() and api.get("/api/tickets").body.get("tickets")):
                if run.poll() is not None or time.monotonic() > began + TIMEOUT_SECONDS:
                    raise RuntimeError(f"`make run` does not answer in {checkout}:\n{log.read_text()}")
                time.sleep(0.1)
            return time.monotonic() - began
        finally:
            os.killpg(run.pid, signal.SIGTERM)
            run.wait(60)
            _wait_for_the_end(run.pid)


def _wait_for_the_end(group: int) -> None:
    """Wait for make's child processes, which outlive it for some seconds."""
    with suppress(ProcessLookupError):
        while True:
            os.killpg(group, 0)
            time.sleep(0.1)


def _tests(checkout: Path) -> float:
    began = time.monotonic()
    ran = subprocess.run(
        ["make", "test"],  # noqa: S607
        cwd=checkout,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"`make test` fails in {checkout}:\n{ran.stdout[-4000:]}\n{ran.stderr[-2000:]}")
    return time.monotonic() - began


def _environment() -> dict[str, str]:
    """The environment without the variables that an outer make passes to an inner one."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
