"""AWS clients: created once per process, on first use, with timeouts shorter than those of the Lambda functions.

The clients come from botocore directly. boto3 adds file transfers and resources, which no function uses and which slow
every cold start.
"""

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared import cold_start

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient


_MAX_ATTEMPTS = {"secretsmanager": 2, "sesv2": 2, "lambda": 1}


@cache
def _client(service: str) -> object:
    from botocore.config import Config
    from botocore.session import get_session

    is_secrets, is_function = service == "secretsmanager", service == "lambda"
    config = Config(
        user_agent="admit-one",  # the default is built again for each call, a tenth of its time
        parameter_validation=False,  # saves another tenth; AWS validates too, and tests cover every call
        connect_timeout=1,
        # A secret is read while a user waits, and most often a cached one can replace it: two seconds at most.
        # Another function may start cold.
        read_timeout=5 if is_function else 1 if is_secrets else 2,
        # A mail too is sent while a user waits, and a repeated call may send it twice.
        retries={"mode": "standard", "total_max_attempts": _MAX_ATTEMPTS.get(service, 3)},
        tcp_keepalive=True,
    )
    client = get_session().create_client(service, config=config)
    client.meta.events.register("before-parse.dynamodb", _parse_dynamodb)
    cold_start.end_loading()
    return client


def _parse_dynamodb(*, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """Parse a success of DynamoDB as JSON alone.

    botocore then compares each value of each item with the ten members of its shape, a tenth of a read, which changes
    only the binary values and timestamps that no table has.
    """
    if response_dict["status_code"] == HTTPStatus.OK:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"


def dynamodb() -> "DynamoDBClient":
    """Return the DynamoDB client of the process."""
    return _client("dynamodb")  # type: ignore[return-value]


def events() -> "EventBridgeClient":
    """Return the EventBridge client of the process."""
    return _client("events")  # type: ignore[return-value]


def functions() -> "LambdaClient":
    """Return the Lambda client of the process, which calls functions of other services."""
    return _client("lambda")  # type: ignore[return-value]


def scheduler() -> "EventBridgeSchedulerClient":
    """Return the EventBridge Scheduler client of the process."""
    return _client("scheduler")  # type: ignore[return-value]


def secretsmanager() -> "SecretsManagerClient":
    """Return the Secrets Manager client of the process."""
    return _client("secretsmanager")  # type: ignore[return-value]


def ses() -> "SESV2Client":
    """Return the SES client of the process (API v2)."""
    return _client("sesv2")  # type: ignore[return-value]


def sqs() -> "SQSClient":
    """Return the SQS client of the process."""
    return _client("sqs")  # type: ignore[return-value]
