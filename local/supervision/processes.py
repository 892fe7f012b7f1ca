"""Child processes that end with their starter, each with its output in a log file."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import ROOT

STOP_WITHIN = 30.0
"""Seconds; longer than the supervisor needs in the worst case."""


class Child:
    """A command that runs under `local.supervision.supervisor`. Raises OSError if the log cannot be opened."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        grace: float = 3.0,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        supervised = [sys.executable, "-m", "local.supervision.supervisor", "--grace", str(grace), "--", *command]
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                supervised,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C goes to us only; we signal the supervisor
                pass_fds=keep_open,
            )

    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit code. Raises TimeoutError if it still runs after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} takes longer than {seconds:.0f} s") from None

    def ask_to_stop(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self) -> None:
        """Stop it and wait until it and all its descendants have ended."""
        self.ask_to_stop()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def output(self, lines: int = 15) -> str:
        """The end of the output since it was started."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            text = file.read().decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-lines:])


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without settings that point to an AWS account or change Python's behaviour."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith(("AWS_", "CDK_")) or name == "AWS_CA_BUNDLE")
        and name not in {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    }
    local = "127.0.0.1,localhost"
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(filter(None, (kept.get("NO_PROXY"), local)))
    return {**kept, "TZ": "UTC", "PYTHONUNBUFFERED": "1", **more}
