"""Follows the functions' logs into one file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud.local_aws import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

EVERY = 3.0
"""Seconds between two reads."""


class FunctionLogs:
    """Call `follow` regularly."""

    def __init__(self, aws: LocalAws, file: Path) -> None:
        self._client: CloudWatchLogsClient = aws.logs()
        self._file = file
        self._next = 0.0
        self._seen: dict[str, int] = {}
        """Number of lines already in the file, by stream."""

    def follow(self) -> None:
        """Append new lines if EVERY seconds have passed. Logs are best effort: errors are ignored."""
        if time.monotonic() < self._next:
            return
        try:
            lines = sorted(self._new_lines())
        except (ClientError, BotoCoreError):
            lines = []
        if lines:
            with self._file.open("a") as file:
                file.writelines(f"{text}\n" for _, text in lines)
        self._next = time.monotonic() + EVERY

    def _new_lines(self) -> list[tuple[int, str]]:
        lines = []
        for group in self._client.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            for stream in self._client.describe_log_streams(logGroupName=name)["logStreams"]:
                key = f"{name} {stream['logStreamName']}"
                events = self._client.get_log_events(
                    logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True
                )["events"]
                function = name.rsplit("/", 1)[-1]
                lines += [
                    (event["timestamp"], f"{function} {event['message'].rstrip()}")
                    for event in events[self._seen.get(key, 0) :]
                ]
                self._seen[key] = len(events)
        return lines
