"""SES's answers, given in place of HTTP."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.model import OperationModel

from shared import aws

_TOKEN = re.compile(r"#([\w.-]+)", re.ASCII)


class Ses:
    """Accepts every mail, or raises `error`. `calls` are the parameters of each call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.models: list[OperationModel] = []
        self.error: Exception | None = None

    def answer(self, *, params: dict[str, Any], model: OperationModel, **_: object) -> tuple[Any, dict[str, str]]:
        self.calls.append(params)
        self.models.append(model)
        if self.error:
            raise self.error
        return _Ok(), {"MessageId": "m1"}

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all calls."""
        return [json.loads(call["body"]) for call in self.calls]

    def kinds(self, to: str) -> list[str]:
        """Return the kinds of the mails to an address, the oldest first."""
        return [
            request["EmailTags"][0]["Value"] for request in self.requests if to in request["Destination"]["ToAddresses"]
        ]

    def texts(self, to: str) -> list[str]:
        """Return the texts of the mails to an address, the oldest first."""
        return [
            request["Content"]["Simple"]["Body"]["Text"]["Data"]
            for request in self.requests
            if to in request["Destination"]["ToAddresses"]
        ]

    def token(self, to: str) -> str:
        """Return the token in the newest link that was mailed to an address."""
        return next(found[1] for text in reversed(self.texts(to)) if (found := _TOKEN.search(text)))

    @property
    def mails(self) -> list[tuple[str, str]]:
        """The recipient and the subject of each mail."""
        return [
            (request["Destination"]["ToAddresses"][0], request["Content"]["Simple"]["Subject"]["Data"])
            for request in self.requests
        ]


class _Ok:
    status_code = 200


@contextmanager
def replaced() -> Iterator[Ses]:
    """Replace SES for this process's client."""
    found = Ses()
    events: Any = aws.ses().meta.events  # its type does not know that a handler may answer
    events.register("before-call.sesv2.SendEmail", found.answer)
    try:
        yield found
    finally:
        events.unregister("before-call.sesv2.SendEmail", found.answer)
