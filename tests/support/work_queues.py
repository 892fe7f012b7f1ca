"""The queues between scheduled functions and their workers, in moto."""

import json
from functools import cache
from typing import Any

import boto3
import pytest

from shared.ids import new_id

WORKERS = {
    "DUE_QUEUE_URL": "payments.settler",
    "OVERDUE_QUEUE_URL": "orders.expirer",
    "MAIL_QUEUE_URL": "auth.mail_sender",
    "PAYOUT_QUEUE_URL": "payments.payout_worker",
}
"""Each queue's name in the environment of the function that fills it, and its worker."""


class WorkQueues:
    """Empty queues of one test, whose URLs are in the environment."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._urls = {}
        for variable, worker in WORKERS.items():
            url = _sqs().create_queue(QueueName=f"{worker.replace('.', '-')}-{new_id()}")["QueueUrl"]
            self._urls[worker] = url
            patch.setenv(variable, url)

    def take(self, worker: str) -> list[dict[str, str]]:
        """Remove all tasks of a worker and return them."""
        tasks = []
        url = self._urls[worker]
        while messages := _sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                tasks.append(json.loads(message["Body"]))
                _sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return tasks

    def put(self, worker: str, *tasks: dict[str, str]) -> None:
        """Add tasks for a worker."""
        for task in tasks:
            _sqs().send_message(QueueUrl=self._urls[worker], MessageBody=json.dumps(task))


@cache
def _sqs() -> Any:
    return boto3.client("sqs")
