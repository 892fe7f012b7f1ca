"""`make test`: run all layers of tests in three parallel lanes.

Tests against running processes wait for half of their time, so three lanes keep two processors busy. The output of a
lane is shown when the ones before it have ended. Options are passed on to pytest: `python -m tests -x`.
The first lane measures the coverage of functions and shared code, in its own process only: lines, or branches if the
tests are thorough. `tool.coverage` in pyproject.toml has the floor.

At the end it prints the processor time of all processes as a multiple of a calibration loop, which compares machines of
different speeds. The target, TARGET_LOOPS, is three minutes of two processors where the loop takes 0.6 s.
"""

import os
import resource
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from local.stack import LOCAL
from local.supervision.processes import Child
from tests.support.thoroughness import THOROUGH

TESTS = Path(__file__).parent
TARGET_LOOPS = 600
LANES = {
    # The layers that use both processors come first, while the other lanes spend most of their time waiting.
    "first": (
        "unit",
        "model",
        "simulation",
        "fault_injection",
        "integration",
        "security",
    ),
    "second": ("e2e", "concurrency"),
    "third": ("emulator", "infrastructure", "operations"),
}


def main() -> int:
    """Run all lanes; return the exit code of a lane that failed, or 0."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    code = 0
    began = time.monotonic()
    with ExitStack() as stack:
        lanes = {name: _start(name) for name in LANES}
        for lane in lanes.values():
            stack.callback(lane.stop)
        try:
            for name, lane in lanes.items():
                print(f"Tests of {', '.join(LANES[name])}", flush=True)  # noqa: T201
                code = _follow(lane) or code
        except KeyboardInterrupt:
            return 130
    print(_durations(time.monotonic() - began))  # noqa: T201
    return code


def _durations(seconds: float) -> str:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = ended.ru_utime + ended.ru_stime
    loop = min(_calibration_loop() for _ in range(3))
    return (
        f"Tests took {seconds:.0f} s, and {processor:.0f} s of processor time: {processor / loop:.0f} calibration loops"
        f" of {loop:.2f} s (target: {TARGET_LOOPS})"
    )


def _calibration_loop() -> float:
    """Return the processor time, in seconds, of ten million additions."""
    began = time.process_time()
    total = 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - began


def _start(name: str) -> Child:
    log = LOCAL / "logs" / f"tests-{name}.log"
    log.unlink(missing_ok=True)
    color = ["--color=yes"] if sys.stdout.isatty() else []
    coverage = ["--cov", "--cov-report=term", *["--cov-branch"] * THOROUGH] if name == "first" else []
    layers = [str(TESTS / layer) for layer in LANES[name]]
    command = [sys.executable, "-m", "pytest", *color, *coverage, *sys.argv[1:], *layers]
    # Before Python 3.14, sys.monitoring cannot measure branches.
    core = {"COVERAGE_CORE": "ctrace"} if THOROUGH else {}
    return Child(f"the {name} lane", command, log=log, environment={**os.environ, **core})


def _follow(lane: Child) -> int:
    """Print the lane's output, past and coming, until the process ends; return its exit code."""
    with lane.log.open("rb") as log:  # as bytes: the output so far may end inside a character
        while True:
            code = lane.exit_code()
            sys.stdout.buffer.write(log.read())
            sys.stdout.buffer.flush()
            if code is not None:
                return code
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
