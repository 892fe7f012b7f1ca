"""AWS clients: made once per process, on first use, with time-outs that fit inside a Lambda function's own.

They are botocore's, as boto3's are too: boto3 brings file transfers and resources, which no function uses and every
cold start would pay for.
"""

from functools import cache
from typing import TYPE_CHECKING

from shared import begin_work

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


@cache
def _client(service: str) -> object:
    from botocore.config import Config
    from botocore.session import get_session

    config = Config(
        user_agent="admit-one",  # the default is put together anew for each call, which takes a tenth of it
        parameter_validation=False,  # as much again; AWS validates too, and each call of ours is tested
        connect_timeout=1,
        read_timeout=2,
        retries={"mode": "standard", "total_max_attempts": 3},
        tcp_keepalive=True,
    )
    client: object = get_session().create_client(service, config=config)
    begin_work()
    return client


def dynamodb() -> "DynamoDBClient":
    """The process's DynamoDB client."""
    return _client("dynamodb")  # type: ignore[return-value]


def events() -> "EventBridgeClient":
    """The process's EventBridge client."""
    return _client("events")  # type: ignore[return-value]


def scheduler() -> "EventBridgeSchedulerClient":
    """The process's EventBridge Scheduler client."""
    return _client("scheduler")  # type: ignore[return-value]


def secretsmanager() -> "SecretsManagerClient":
    """The process's Secrets Manager client."""
    return _client("secretsmanager")  # type: ignore[return-value]


def sqs() -> "SQSClient":
    """The process's SQS client."""
    return _client("sqs")  # type: ignore[return-value]
