"""`make test`: all layers of tests, in two lanes side by side that take about as long.

What the second lane says is shown when the first has ended. Options go on to pytest: `python -m tests -x`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local.processes import Child
from local.stack import LOCAL

TESTS = Path(__file__).parent
FIRST = ("rules", "handlers", "hostile", "template", "operations", "local", "faults", "simulation")
SECOND = ("e2e", "races")
LOG = LOCAL / "logs" / "tests.log"


def main() -> int:
    """The exit code of a lane that failed, or 0."""
    LOG.unlink(missing_ok=True)
    beside = Child("the other tests", _pytest(SECOND), log=LOG, environment=os.environ)
    try:
        _say(f"Tests of {', '.join(FIRST)}; beside them those of {', '.join(SECOND)}")
        code = subprocess.run(_pytest(FIRST), check=False).returncode  # noqa: S603
        _say(f"\nTests of {', '.join(SECOND)}")
        return _follow(beside) or code
    except KeyboardInterrupt:
        return 130
    finally:
        beside.stop()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _pytest(layers: Sequence[str]) -> list[str]:
    color = ["--color=yes"] if sys.stdout.isatty() else []
    return [sys.executable, "-m", "pytest", *color, *sys.argv[1:], *(str(TESTS / layer) for layer in layers)]


def _follow(child: Child) -> int:
    """Show what it has said and says, until it ends; its exit code."""
    with child.log.open() as log:
        while True:
            code = child.exit_code()
            sys.stdout.write(log.read())
            sys.stdout.flush()
            if code is not None:
                return code
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
