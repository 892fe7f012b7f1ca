"""Stopping the stack: what it waits for, what it prints, and that it is always short."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local import stack as stack_module
from local.cloud.local_aws import LocalAws, LocalAwsFailed, state_file
from local.stack import LocalStack
from local.supervision.ports import Ports
from tests.support.processes import kill


class _FakeAws:
    """A local AWS with the given work in flight at each request; the last value repeats."""

    def __init__(self, *in_flight: dict[str, int]) -> None:
        self._in_flight = list(in_flight)

    def in_flight(self) -> dict[str, int]:
        return self._in_flight.pop(0) if len(self._in_flight) > 1 else self._in_flight[0]


@pytest.fixture
def steps() -> dict[str, list[str]]:
    """The messages by step."""
    return {}


@pytest.fixture
def stack(tmp_path: Path, steps: dict[str, list[str]]) -> LocalStack:
    @contextmanager
    def step(title: str) -> Iterator[Callable[[str], None]]:
        yield steps.setdefault(title, []).append

    return LocalStack(tmp_path, ports=Ports.free(), order_window_seconds=60, keep=True, step=step)


def _finish(stack: LocalStack, *in_flight: dict[str, int]) -> list[str]:
    reported: list[str] = []
    aws: Any = _FakeAws(*in_flight)
    stack._finish(aws, reported.append)
    return reported


def test_stop_reports_its_wait_until_all_work_has_ended(stack: LocalStack) -> None:
    reported = _finish(stack, {"requests": 2, "events": 1}, {"requests": 0, "events": 3}, {"requests": 0, "events": 0})
    assert reported == ["2 requests, 1 events", "3 events", "", "", ""]


def test_stop_does_not_wait_for_long(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_module, "FINISHES_WITHIN", 0.2)
    assert _finish(stack, {"timers": 7})[-1] == "not done: 7 timers. Events and timers continue at the next start"


def test_stop_is_short_and_keeps_everything(stack: LocalStack, steps: dict[str, list[str]], tmp_path: Path) -> None:
    stack._aws = _start_aws(stack, tmp_path)
    started = time.monotonic()
    assert stack.stop() is None
    assert time.monotonic() - started < 5
    assert list(steps) == ["Finish work in flight", "Save the data", "End the processes"]
    assert state_file(tmp_path).exists()
    assert not (tmp_path / "scratch").exists()
    assert stack.stop() is None, "stopping twice must be harmless"


def test_data_lost_by_a_killed_local_aws_is_reported(stack: LocalStack, tmp_path: Path) -> None:
    stack._aws = _start_aws(stack, tmp_path)
    stack._aws.save()
    os.utime(state_file(tmp_path), (time.time() - 90, time.time() - 90))
    kill(stack._aws)
    assert "The local AWS has ended" in (stack.failure() or "")
    lost = stack.stop() or ""
    assert "The local AWS had ended by itself. It was saved 9" in lost
    assert "seconds ago; what happened after that is lost" in lost
    assert "make run" in lost


def test_a_failed_save_is_reported(stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack._aws = _start_aws(stack, tmp_path)

    def fail(_: LocalAws) -> None:
        raise LocalAwsFailed("No space left on device")

    monkeypatch.setattr(LocalAws, "save", fail)
    assert "The data could not be saved (No space left on device)" in (stack.stop() or "")


def _start_aws(stack: LocalStack, folder: Path) -> LocalAws:
    return LocalAws(port=stack.ports.aws, scratch=folder / "scratch", logs=folder / "logs", state=folder)
