"""`make test`: run all layers of tests in two parallel lanes of about the same duration.

The output of the second lane is shown when the first has ended. Options are passed on to pytest: `python -m tests -x`.
The first lane measures the branch coverage of functions and shared code, in its own process only; `tool.coverage` in
pyproject.toml has the floor.
"""

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from local.stack import LOCAL
from local.supervision.processes import Child

TESTS = Path(__file__).parent
LANES = {
    # The layers that use both processors come first, while the other lane spends most of its time waiting.
    "first": (
        "unit",
        "simulation",
        "fault_injection",
        "integration",
        "security",
        "infrastructure",
        "operations",
        "emulator",
    ),
    "second": ("e2e", "concurrency"),
}


def main() -> int:
    """Run both lanes; return the exit code of a lane that failed, or 0."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    code = 0
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
    return code


def _start(name: str) -> Child:
    log = LOCAL / "logs" / f"tests-{name}.log"
    log.unlink(missing_ok=True)
    color = ["--color=yes"] if sys.stdout.isatty() else []
    coverage = ["--cov", "--cov-report=term"] if name == "first" else []
    layers = [str(TESTS / layer) for layer in LANES[name]]
    command = [sys.executable, "-m", "pytest", *color, *coverage, *sys.argv[1:], *layers]
    return Child(f"the {name} lane", command, log=log, environment=os.environ)


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
