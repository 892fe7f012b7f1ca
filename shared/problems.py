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

    def asks_to_come_again(self) -> bool:
        """Whether the same request may be answered differently soon: 5xx, 429, and whatever says `Retry-After`."""
        is_passing = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status == HTTPStatus.TOO_MANY_REQUESTS
        return is_passing or "Retry-After" in self.headers

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


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """How one kind of error is told: in its own words, under a status and code that the API's document can name.

    `more` gives what else depends on the error, by the names of Problem's fields.
    """

    status: int
    code: str
    headers: Mapping[str, str]
    more: Callable[[Any], Mapping[str, Any]]

    def __call__(self, error: Exception) -> Problem:
        """The error in its HTTP form."""
        fields = {"detail": str(error), "headers": self.headers, **self.more(error)}
        return Problem(self.status, self.code, **fields)


def refusal(
    status: int, code: str, more: Callable[[Any], Mapping[str, Any]] = lambda _error: {}, **headers: str
) -> Refusal:
    """A Refusal; header names with `_` for `-`."""
    return Refusal(status, code, {name.replace("_", "-"): value for name, value in headers.items()}, more)
