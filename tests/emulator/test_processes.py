"""No child process outlives its starter, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local import ROOT
from local.supervision.lock import Lock, Locked, is_held, read_holder
from local.supervision.ports import HOST, BadPort, Ports, PortTaken
from local.supervision.processes import Child, clean_environment

# A parent with one child; each writes its process id. The child may ignore SIGTERM, the parent records it.
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

# A holder that starts a child as `make run` does, and then waits.
_HOLDER = """
import signal, sys, time
from pathlib import Path
from local.supervision.processes import Child, clean_environment
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored
child = Child("family", sys.argv[2:], log=Path(sys.argv[1]), environment=clean_environment())
print(child._process.pid, flush=True)
time.sleep(600)
"""


def _family(folder: Path, kind: str = "obedient") -> list[str]:
    return [sys.executable, "-c", _FAMILY, str(folder), kind]


def _is_alive(process: int) -> bool:
    """Whether the process runs; a zombie does not count."""
    ps = ["ps", "-o", "stat=", "-p", str(process)]
    state = subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return bool(state.strip()) and not state.startswith("Z")


def _wait(until: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _members(folder: Path) -> list[int]:
    _wait((folder / "pids").exists)
    return [int(text) for text in (folder / "pids").read_text().split()]


def test_stop_ends_a_command_and_its_descendants(tmp_path: Path) -> None:
    child = Child("family", _family(tmp_path), log=tmp_path / "log", environment=clean_environment())
    members = _members(tmp_path)
    child.stop()
    assert not any(map(_is_alive, members))
    assert (tmp_path / "saved").exists(), "it had no time to save"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killing_the_holder_ends_the_command(tmp_path: Path, number: signal.Signals) -> None:
    holder = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _HOLDER, str(tmp_path / "log"), *_family(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    members = _members(tmp_path)
    holder.send_signal(number)
    holder.wait(10)
    _wait(lambda: not any(map(_is_alive, members)))
    assert (tmp_path / "saved").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG exists on Linux only")
def test_a_killed_supervisor_leaves_no_command(tmp_path: Path) -> None:
    child = Child("family", _family(tmp_path), log=tmp_path / "log", environment=clean_environment())
    parent, worker = _members(tmp_path)
    child._process.kill()
    _wait(lambda: not _is_alive(parent))
    assert (tmp_path / "saved").exists()
    os.kill(worker, signal.SIGKILL)
    child.stop()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    quick = (
        "import sys; from local.supervision import supervisor; supervisor.KILL_AFTER = 0.3; sys.exit(supervisor.main())"
    )
    supervisor = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", quick, "--grace", "0.1", "--", *_family(tmp_path, "stubborn")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    members = _members(tmp_path)
    assert supervisor.stdin
    supervisor.stdin.close()
    supervisor.wait(10)
    _wait(lambda: not any(map(_is_alive, members)))


def test_exit_of_a_command_ends_its_children_and_keeps_its_code(tmp_path: Path) -> None:
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); sys.exit(7)"
    child = Child("one", [sys.executable, "-c", script], log=tmp_path / "log", environment=clean_environment())
    assert child.wait(10) == 7
    _wait(lambda: not _is_alive(int(child.output())))
    child.stop()


def test_a_missing_command_is_reported(tmp_path: Path) -> None:
    child = Child("none", ["/no/such/command"], log=tmp_path / "log", environment=clean_environment())
    assert child.wait(10) == 127
    assert "/no/such/command does not start" in child.output()
    child.stop()


def test_child_environments_contain_no_aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = clean_environment(AWS_REGION="us-east-1")
    assert {name for name in environment if name.startswith("AWS_")} <= {"AWS_CA_BUNDLE", "AWS_REGION"}
    assert "PYTHONPATH" not in environment
    assert environment["TZ"] == "UTC"


def test_a_lock_has_one_holder_with_readable_information(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path) as lock:
        lock.describe({"url": "http://here"})
        with pytest.raises(Locked) as locked:
            Lock(path)
        assert locked.value.holder == {"pid": os.getpid(), "url": "http://here"}
        assert is_held(path)
    assert not is_held(path)
    assert read_holder(path) == {}


def test_a_lock_is_held_until_the_last_process_with_it_ends(tmp_path: Path) -> None:
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


def test_a_port_in_use_is_reported_with_purpose_and_remedy() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = Ports.free()
        with pytest.raises(PortTaken, match=rf"Port {port} \(the local AWS\).*AWS_PORT={port + 1} make run"):
            Ports(edge_proxy=free.edge_proxy, aws=port, stripe=free.stripe, smtp=free.smtp).check()
        Ports(edge_proxy=free.edge_proxy, aws=free.aws, stripe=port, smtp=free.smtp).check(with_stripe=False)


def test_two_parts_cannot_share_a_port() -> None:
    port = Ports.free().aws
    with pytest.raises(PortTaken, match="use different ports"):
        Ports(edge_proxy=port, aws=port, stripe=port + 1, smtp=port + 2).check()


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "3000.0"])
def test_an_invalid_port_is_refused(text: str) -> None:
    with pytest.raises(BadPort, match="PORT must be a port"):
        Ports.from_environment({"PORT": text})


def test_ports_have_defaults() -> None:
    assert Ports.from_environment({}) == Ports(edge_proxy=3000, aws=4566, stripe=12111, smtp=1025)
