"""Errors as RFC 9457 problem details, with the `errors` list that the platform's clients read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with the request, and where."""

    message: str
    field: str | None = None


@dataclass(eq=False)
class Problem(Exception):
    """A refusal in its HTTP form. `code` is what programs read, `detail` what people do."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> str:
        """The problem document."""
        document: dict[str, Any] = {
            "type": f"urn:admit-one:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [
                {"message": error.message} | ({"field": error.field} if error.field else {})
                for error in self.errors or [FieldError(self.detail)]
            ],
            "requestId": request_id,
            **self.members,
        }
        return json.dumps(document)


type Refusals = Mapping[type[Exception], Callable[[Any], Problem]]


def refusal(status: int, code: str, **headers: str) -> Callable[[Exception], Problem]:
    """How a domain error is told over HTTP: its own words as the detail; header names with `_` for `-`."""
    return lambda error: Problem(
        status, code, str(error), headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
