"""Kill a local AWS with `kill -9`."""

import os
import signal
import subprocess
import time

from local.cloud.local_aws import LocalAws

ENDS_WITHIN = 10.0


def kill(aws: LocalAws) -> None:
    """Kill the process; return when it and its functions have ended."""
    guard = aws._process._process.pid
    ps = ["ps", "-A", "-o", "pid=,ppid="]
    processes = subprocess.run(ps, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for process, parent in (map(int, line.split()) for line in processes.splitlines()):
        if parent == guard:
            os.kill(process, signal.SIGKILL)
            break
    deadline = time.monotonic() + ENDS_WITHIN
    while not aws.has_ended():
        assert time.monotonic() < deadline, "the killed process has not ended"
        time.sleep(0.02)
