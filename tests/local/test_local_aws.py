"""What the local AWS keeps from one start to the next."""

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.local_aws import LocalAws
from local.ports import Ports

HANDLER = "def handler(_event, _context):\n    return {'batchItemFailures': []}\n"
TAKEN_WITHIN = 30.0


@contextmanager
def _local_aws(folder: Path) -> Iterator[LocalAws]:
    """At a port that nobody used before."""
    made = LocalAws(port=Ports.free().aws, scratch=folder / "scratch", logs=folder / "logs", state=folder / "state")
    try:
        yield made
    finally:
        made.stop()


def test_at_another_port_a_queues_messages_still_come_to_their_function(tmp_path: Path) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("taker.py", HANDLER)
    with _local_aws(tmp_path) as first:
        queues: Any = first._session().client("sqs", endpoint_url=first.url)
        url = queues.create_queue(QueueName="letters")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        first.functions().create_function(
            FunctionName="taker",
            Runtime="python3.13",
            Handler="taker.handler",
            Role="arn:aws:iam::000000000000:role/taker",
            Code={"ZipFile": code.getvalue()},
        )
        first.functions().create_event_source_mapping(FunctionName="taker", EventSourceArn=arn)

    with _local_aws(tmp_path) as second:
        queues = second._session().client("sqs", endpoint_url=second.url)
        url = queues.get_queue_url(QueueName="letters")["QueueUrl"]
        queues.send_message(QueueUrl=url, MessageBody="{}")
        until = time.monotonic() + TAKEN_WITHIN
        while _waiting(queues, url):
            assert time.monotonic() < until, "the message lies in its queue"
            time.sleep(0.2)


def _waiting(queues: Any, url: str) -> int:
    """How many messages the queue has, those included that a function is busy with."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)
