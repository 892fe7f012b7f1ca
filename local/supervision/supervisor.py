"""`python -m local.supervision.supervisor -- COMMAND...`: end a command and its descendants when its starter ends.

The starter holds the write end of this program's standard input. When that closes (on purpose, by Ctrl-C, or because
the starter was killed), the command receives SIGTERM, then its process group does, and after KILL_AFTER seconds
SIGKILL. So even `kill -9` of `make run` leaves no process behind, and the local AWS still saves its state.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

KILL_AFTER = 8.0
"""Seconds from the group's first SIGTERM to SIGKILL."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.supervision.supervisor", description=__doc__)
    parser.add_argument("--grace", type=float, default=3.0, help="seconds from SIGTERM to the group's SIGTERM")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        parser.error("a command is needed")

    if sys.platform == "linux":  # adopt the command's orphans: a container may have no other process to reap them
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    is_stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: is_stopping.set())
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=_die_with_parent)
    except OSError as error:
        print(f"{command[0]} does not start: {error}", file=sys.stderr)
        return 127

    def watch_starter() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        is_stopping.set()

    threading.Thread(target=watch_starter, daemon=True).start()
    while child.poll() is None and not is_stopping.wait(0.05):
        pass
    if child.poll() is None:
        with suppress(ProcessLookupError):
            child.terminate()
        _wait(child, args.grace)
    _end_group(child)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(seconds)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + KILL_AFTER
    while time.monotonic() < deadline:
        # Repeated, since a member may have started another in between.
        if not _signal_group(child, signal.SIGTERM):
            return
        for _ in range(10):
            time.sleep(0.02)
            if child.poll() is not None:
                _collect_orphans(child)
            if not _signal_group(child, 0):
                return
    _signal_group(child, signal.SIGKILL)


def _collect_orphans(child: subprocess.Popen[bytes]) -> None:
    """Reap ended processes: unreaped ones still count as members of their group."""
    with suppress(ChildProcessError):
        while os.waitpid(-child.pid, os.WNOHANG)[0]:
            pass


def _signal_group(child: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the process group; return False if it has no members."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
        return False
    return True


def _die_with_parent() -> None:
    """On Linux, let the kernel send SIGTERM to the command if this supervisor itself is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
