"""Queues of tasks that a scheduled function finds and workers perform.

The tasks are found in an index, which remains the record of what is left to do: a task that is lost or fails is found
again by the next run. Tasks are idempotent, so one that is queued twice does no harm.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import batched
from typing import Any

from shared import aws
from shared.telemetry import count, logger

type Task = Mapping[str, str]
type Remaining = Callable[[], float]
"""Returns the seconds until the function is stopped."""

TASKS_PER_CALL = 10  # the limit of SendMessageBatch
BUSY = 100
"""Number of waiting messages from which a run adds none: it would add the same tasks again."""
RESERVED_SECONDS = 20.0
"""A run stops this long before its timeout: longer than a call to AWS or Stripe with its retries."""


class NotQueued(Exception):
    """SQS did not accept every task; the next run finds them again."""


def remaining_time(context: Any) -> Remaining:
    """Return a function that returns the seconds that are left to a run, from Lambda's context."""
    return lambda: float(context.get_remaining_time_in_millis() / 1000)


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """The queue with this URL."""

    url: str

    def is_busy(self) -> bool:
        """Return whether the workers have not caught up with the tasks of an earlier run."""
        found = aws.sqs().get_queue_attributes(QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"]) >= BUSY

    def send(self, tasks: Iterable[Task]) -> None:
        """Queue the tasks. Raises NotQueued if SQS rejected one; earlier ones are queued then."""
        for some in batched(tasks, TASKS_PER_CALL, strict=False):
            answer = aws.sqs().send_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(number), "MessageBody": json.dumps(task)} for number, task in enumerate(some)],
            )
            if failed := answer.get("Failed"):
                raise NotQueued(f"{len(failed)} tasks were not queued: {failed[0]['Code']}")

    def fill(self, tasks: Iterable[Task], remaining: Remaining) -> int:
        """Queue tasks in their order until all are queued or time runs out; none while the workers are busy.

        Returns the number of queued tasks. Raises NotQueued.
        """
        queued = 0
        for some in batched(tasks, TASKS_PER_CALL, strict=False):
            if remaining() < RESERVED_SECONDS or (queued == 0 and self.is_busy()):
                break
            self.send(some)
            queued += len(some)
        return queued


def perform(
    batch: Mapping[str, Any],
    perform_task: Callable[[Any], None],
    *,
    is_retried: Callable[[Any], bool] = lambda _: False,
) -> dict[str, list[dict[str, str]]]:
    """Perform each task of a batch of SQS messages, and count those that fail.

    `is_retried`: whether a failed task returns to the queue. Otherwise its message is deleted, since the next run finds
    the task again. Returns the messages to retry as `batchItemFailures`.
    """
    failed = []
    for record in batch["Records"]:
        task = json.loads(record["body"])
        try:
            perform_task(task)
        except Exception:
            logger.exception("a task failed", task=task)
            count("RepairsFailed")
            if is_retried(task):
                failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
