"""Questions to the other services, which own what they keep about users: Auth calls one function of each.

The function and its answers are described in `functions/<service>/personal_data.py`.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, settings
from shared.ids import UserID

type Service = Literal["tickets", "orders", "payments"]


class ServiceUnavailable(Exception):
    """Another service did not answer."""

    def __init__(self, service: Service) -> None:
        super().__init__(f"{service} did not respond; try again")


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables: the functions' names."""

    tickets_function: str
    orders_function: str
    payments_function: str = ""


def ask(service: Service, operation: str, user_id: UserID, **details: object) -> dict[str, Any]:
    """Call the function of a service and return its answer. Raises ServiceUnavailable."""
    question = {"operation": operation, "userID": user_id, **details}
    name = getattr(settings.load(Settings), f"{service}_function")
    try:
        response = aws.functions().invoke(FunctionName=name, Payload=json.dumps(question).encode())
        content = response["Payload"].read()
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable(service) from error
    if response.get("FunctionError"):
        raise ServiceUnavailable(service)
    answer: dict[str, Any] = json.loads(content)
    return answer
