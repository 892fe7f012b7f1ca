"""Nothing that we start outlives us, however we end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lock import Lock, Locked, is_held, read_holder
from local.ports import HOST, BadPort, Ports, PortTaken
from local.processes import ROOT, Child, clean_environment

# A parent with one child, each of whom writes its process number; the child may ignore SIGTERM, the parent notes it.
_FAMILY = """
import os, pathlib, signal, subprocess, sys, time
folder, stubborn = pathlib.Path(sys.argv[1]), sys.argv[2] == "stubborn"
child = "import signal, time; {}; print('up', flush=True); time.sleep(600)".format(
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else "0")
worker = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
worker.stdout.readline()
def leave(*_):
    (folder / "saved").write_text("yes")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
(folder / "pids.tmp").write_text(f"{os.getpid()} {worker.pid}")
(folder / "pids.tmp").rename(folder / "pids")
time.sleep(600)
"""

# Somebody who starts a child as `make run` does, and then waits.
_HOLDER = """
import signal, sys, time
from pathlib import Path
from local.processes import Child, clean_environment
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored
child = Child("family", sys.argv[2:], log=Path(sys.argv[1]), environment=clean_environment())
print(child._process.pid, flush=True)
time.sleep(600)
"""


def _family(folder: Path, kind: str = "obedient") -> list[str]:
    return [sys.executable, "-c", _FAMILY, str(folder), kind]


def _is_alive(process: int) -> bool:
    """Whether it runs; one that has ended and nobody has collected does not."""
    ps = ["ps", "-o", "stat=", "-p", str(process)]
    state = subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return bool(state.strip()) and not state.startswith("Z")


def _wait(until: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def _members(folder: Path) -> list[int]:
    _wait((folder / "pids").exists)
    return [int(text) for text in (folder / "pids").read_text().split()]


def test_stop_ends_a_command_and_what_it_started(tmp_path: Path) -> None:
    child = Child("family", _family(tmp_path), log=tmp_path / "log", environment=clean_environment())
    members = _members(tmp_path)
    child.stop()
    assert not any(map(_is_alive, members))
    assert (tmp_path / "saved").exists(), "it was given the time to save"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_whoever_kills_the_holder_ends_the_command(tmp_path: Path, number: signal.Signals) -> None:
    holder = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _HOLDER, str(tmp_path / "log"), *_family(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    members = _members(tmp_path)
    holder.send_signal(number)
    holder.wait(10)
    _wait(lambda: not any(map(_is_alive, members)))
    assert (tmp_path / "saved").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help exists on Linux only")
def test_even_a_killed_guard_leaves_no_command(tmp_path: Path) -> None:
    child = Child("family", _family(tmp_path), log=tmp_path / "log", environment=clean_environment())
    parent, worker = _members(tmp_path)
    child._process.kill()
    _wait(lambda: not _is_alive(parent))
    assert (tmp_path / "saved").exists()
    os.kill(worker, signal.SIGKILL)
    child.stop()


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    quick = "import local.guard as guard, sys; guard.KILL_AFTER = 0.3; sys.argv[0] = 'guard'; sys.exit(guard.main())"
    guard = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", quick, "--grace", "0.1", "--", *_family(tmp_path, "stubborn")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    members = _members(tmp_path)
    assert guard.stdin
    guard.stdin.close()
    guard.wait(10)
    _wait(lambda: not any(map(_is_alive, members)))


def test_a_command_that_ends_by_itself_takes_its_children_along_and_tells_its_code(tmp_path: Path) -> None:
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); sys.exit(7)"
    child = Child("one", [sys.executable, "-c", script], log=tmp_path / "log", environment=clean_environment())
    assert child.wait(10) == 7
    _wait(lambda: not _is_alive(int(child.output())))
    child.stop()


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    child = Child("none", ["/no/such/command"], log=tmp_path / "log", environment=clean_environment())
    assert child.wait(10) == 127
    assert "/no/such/command does not start" in child.output()
    child.stop()


def test_no_environment_leads_to_an_aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = clean_environment(AWS_REGION="us-east-1")
    assert {name for name in environment if name.startswith("AWS_")} <= {"AWS_CA_BUNDLE", "AWS_REGION"}
    assert "PYTHONPATH" not in environment
    assert environment["TZ"] == "UTC"


def test_a_lock_has_one_holder_who_tells_who_they_are(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path) as lock:
        lock.tell({"url": "http://here"})
        with pytest.raises(Locked) as locked:
            Lock(path)
        assert locked.value.holder == {"pid": os.getpid(), "url": "http://here"}
        assert is_held(path)
    assert not is_held(path)
    assert read_holder(path) == {}


def test_a_lock_is_held_until_the_last_process_that_has_it_ends(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    child = Child(
        "family",
        _family(tmp_path),
        log=tmp_path / "log",
        environment=clean_environment(),
        keep_open=[lock.descriptor],
    )
    _members(tmp_path)
    lock.close()
    assert is_held(tmp_path / "lock")
    child.stop()
    assert not is_held(tmp_path / "lock")


def test_a_port_in_use_is_named_with_its_purpose_and_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = Ports.free()
        with pytest.raises(PortTaken, match=rf"Port {port} \(the local AWS\).*AWS_PORT={port + 1} make run"):
            Ports(front_door=free.front_door, aws=port, stripe=free.stripe).check()
        Ports(front_door=free.front_door, aws=free.aws, stripe=port).check(with_stripe=False)


def test_two_parts_cannot_have_one_port() -> None:
    port = Ports.free().aws
    with pytest.raises(PortTaken, match="need ports of their own"):
        Ports(front_door=port, aws=port, stripe=port + 1).check()


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "3000.0"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadPort, match="PORT is a port"):
        Ports.from_environment({"PORT": text})


def test_ports_have_defaults() -> None:
    assert Ports.from_environment({}) == Ports(front_door=3000, aws=4566, stripe=12111)
