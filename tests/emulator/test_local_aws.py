"""What the local AWS keeps between starts, however it ended, and how many processes it starts."""

import io
import json
import os
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.cloud.local_aws import MINISTACK, PYTHON, LocalAws, LocalAwsFailed, state_file
from local.supervision.ports import Ports
from tests.support.processes import kill

# A function that records each call and its process once the file `open` exists; before, it fails or, on request, waits.
CODE = """
import json, os, time
from pathlib import Path
FOLDER = Path({folder!r})
def handler(event, _context):
    event = event.get("detail", event)
    while event.get("waits") and not (FOLDER / "open").exists():
        time.sleep(0.05)
    if not (FOLDER / "open").exists():
        raise RuntimeError("not yet")
    time.sleep(event.get("seconds", 0))
    what = event.get("name") or event["Records"][0]["eventSource"]
    with (FOLDER / "calls").open("a") as file:
        file.write(json.dumps([what, os.getpid()]) + "\\n")
    return {{"batchItemFailures": []}}
"""
COMES_WITHIN = 30.0


@contextmanager
def _local_aws(folder: Path) -> Iterator[LocalAws]:
    """A local AWS on a new port."""
    made = LocalAws(port=Ports.free().aws, scratch=folder / "scratch", logs=folder / "logs", state=folder / "state")
    try:
        yield made
    finally:
        made.stop()


def _client(aws: LocalAws, service: Any) -> Any:
    client: Any = aws._session().client(service, endpoint_url=aws.url)
    return client


def _make_function(aws: LocalAws, folder: Path, name: str = "taker") -> str:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("taker.py", CODE.format(folder=str(folder)))
    made = aws.functions().create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="taker.handler",
        Role="arn:aws:iam::000000000000:role/taker",
        Code={"ZipFile": code.getvalue()},
    )
    return made["FunctionArn"]


def _make_queue(aws: LocalAws) -> str:
    """Create a queue and return its address. A message in flight stays hidden for half an hour."""
    queues = _client(aws, "sqs")
    url = str(queues.create_queue(QueueName="letters", Attributes={"VisibilityTimeout": "1800"})["QueueUrl"])
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.functions().create_event_source_mapping(FunctionName="taker", EventSourceArn=arn)
    return url


def _make_table(aws: LocalAws) -> None:
    table = aws.dynamodb().create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    aws.functions().create_event_source_mapping(
        FunctionName="taker", EventSourceArn=table["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
    )


def _make_rule(aws: LocalAws, function: str) -> None:
    rules = _client(aws, "events")
    rules.put_rule(Name="all", EventPattern=json.dumps({"source": ["test"]}))
    rules.put_targets(Rule="all", Targets=[{"Id": "taker", "Arn": function}])


def _publish(aws: LocalAws, *details: dict[str, Any]) -> None:
    entries = [{"Source": "test", "DetailType": "test", "Detail": json.dumps(each)} for each in details]
    for start in range(0, len(entries), 10):
        _client(aws, "events").put_events(Entries=entries[start : start + 10])


def _calls(folder: Path) -> list[tuple[str, int]]:
    notes = folder / "calls"
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [(what, process) for what, process in map(json.loads, lines)]


def _wait(until: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + COMES_WITHIN
    while not until():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _kept(folder: Path) -> str:
    file = state_file(folder / "state")
    return file.read_text() if file.exists() else ""


def test_messages_reach_their_function_after_a_port_change(tmp_path: Path) -> None:
    (tmp_path / "open").touch()
    with _local_aws(tmp_path) as first:
        _make_function(first, tmp_path)
        _make_queue(first)
    with _local_aws(tmp_path) as second:
        queues = _client(second, "sqs")
        url = queues.get_queue_url(QueueName="letters")["QueueUrl"]
        queues.send_message(QueueUrl=url, MessageBody="{}")
        _wait(lambda: _calls(tmp_path), "the message is not delivered")


@pytest.mark.parametrize("end", [kill, LocalAws.stop])
def test_work_in_flight_continues_after_a_restart(tmp_path: Path, end: Callable[[LocalAws], None]) -> None:
    with _local_aws(tmp_path) as first:
        function = _make_function(first, tmp_path)
        _make_rule(first, function)
        _make_table(first)
        url = _make_queue(first)
        first.dynamodb().put_item(TableName="things", Item={"pk": {"S": "1"}})
        _client(first, "sqs").send_message(QueueUrl=url, MessageBody="{}")
        _publish(first, {"name": "waiting", "waits": True})
        _wait(lambda: first.in_flight() == {"requests": 0, "events": 1, "timers": 1}, "the message was not tried once")
        first.save()
        end(first)
    (tmp_path / "open").touch()
    with _local_aws(tmp_path) as second:
        _wait(
            lambda: {what for what, _ in _calls(tmp_path)} == {"waiting", "aws:sqs", "aws:dynamodb"},
            "record, message and call were not delivered again",
        )
        _wait(lambda: not any(second.in_flight().values()), "work is left")
    assert len(_calls(tmp_path)) == 3


def test_kill_loses_only_changes_since_the_last_save(tmp_path: Path) -> None:
    with _local_aws(tmp_path) as first:
        _make_function(first, tmp_path)
        _make_table(first)
        for item in ("first item", "second item"):
            first.dynamodb().put_item(TableName="things", Item={"pk": {"S": item}})
            _wait(lambda item=item: item in _kept(tmp_path), "changes were not saved automatically")  # type: ignore[misc]
        kill(first)
        assert (first.seconds_since_saved() or 60) < 60
    with _local_aws(tmp_path) as second:
        assert second.dynamodb().scan(TableName="things")["Count"] == 2


def test_a_failed_save_is_reported_and_keeps_the_old_file(tmp_path: Path) -> None:
    with _local_aws(tmp_path) as aws:
        _client(aws, "sqs").create_queue(QueueName="first")
        aws.save()
        kept = state_file(tmp_path / "state").read_bytes()
        obstacle = state_file(tmp_path / "state").with_suffix(".new")
        obstacle.mkdir()
        _client(aws, "sqs").create_queue(QueueName="second")
        with pytest.raises(LocalAwsFailed, match="Is a directory"):
            aws.save()
        _wait(lambda: aws.save_error() == "Is a directory", "the error is not reported")
        assert state_file(tmp_path / "state").read_bytes() == kept
        obstacle.rmdir()
        _wait(lambda: not aws.save_error(), "it does not try again")
    with _local_aws(tmp_path) as aws:
        assert len(_client(aws, "sqs").list_queues()["QueueUrls"]) == 2


def test_an_unreadable_state_is_not_overwritten(tmp_path: Path) -> None:
    broken = state_file(tmp_path / "state")
    broken.parent.mkdir(parents=True)
    broken.write_text('{"services": {')
    with pytest.raises(LocalAwsFailed, match=r"state\.json cannot be read; .*make reset"), _local_aws(tmp_path):
        pass
    assert broken.read_text() == '{"services": {'


def test_a_stop_before_loading_leaves_the_state_alone(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    kept.write_text("{}")
    script = f"""
import asyncio, importlib, sys
sys.path.insert(0, {str(MINISTACK.parent)!r})
patched = importlib.import_module({MINISTACK.stem!r})
patched._apply_patches()
asyncio.run(patched._leave())
"""
    command = [str(PYTHON), "-c", script]
    environment = {**os.environ, "PERSIST_STATE": "1", "STATE_DIR": str(tmp_path)}
    subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)  # noqa: S603
    assert kept.read_text() == "{}"


def test_a_burst_of_scheduled_calls_uses_few_processes(tmp_path: Path) -> None:
    """The processes share one copy of the code, and a user's call does not wait for the burst."""
    (tmp_path / "open").touch()
    with _local_aws(tmp_path) as aws:
        function = _make_function(aws, tmp_path)
        _make_rule(aws, function)
        _publish(aws, *({"name": "by the clock", "seconds": 0.1} for _ in range(100)))
        aws.functions().invoke(FunctionName=function, Payload=json.dumps({"name": "by a user"}))
        assert aws.in_flight()["timers"] > 0, "a user waited for all timers"
        _wait(lambda: len(_calls(tmp_path)) == 101, "not all calls were made")
        assert len({process for _, process in _calls(tmp_path)}) <= 3
        assert len(list((tmp_path / "state" / "aws" / "code").iterdir())) == 1
        assert not list((tmp_path / "scratch").rglob("taker.py"))
    assert len(_calls(tmp_path)) == 101


def test_acquiring_a_process_takes_an_idle_one_or_waits() -> None:
    script = f"""
import importlib, sys, threading, time
sys.path.insert(0, {str(MINISTACK.parent)!r})
patched = importlib.import_module({MINISTACK.stem!r})
patched._apply_patches()
patched.PROCESSES = 2
config = {{"FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Runtime": "provided.al2"}}
acquire = lambda name: patched.runtime.acquire_worker(name, config, b"")
first, _ = acquire("a")
second, _ = acquire("b")
patched.runtime.release_worker(second)
third, how = acquire("c")
assert how == "spawn" and sum(map(len, patched.runtime._workers.values())) == 2, patched.runtime._workers
waiting = threading.Thread(target=acquire, args=("d",))
waiting.start()
time.sleep(0.2)
assert waiting.is_alive()
patched.runtime.release_worker(first)
waiting.join(5)
assert not waiting.is_alive()
assert sum(map(len, patched.runtime._workers.values())) == 2
patched.functions._invoke_depth.set(2)
acquire("called by another")
print("as it should be")
"""
    command = [str(PYTHON), "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.stdout.endswith("as it should be\n"), done.stderr
