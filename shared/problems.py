"""Error responses as RFC 9457 problem details, with an additional `errors` list for clients."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error of a request, and the field that it concerns."""

    message: str
    field: str | None = None


@dataclass(eq=False)
class Problem(Exception):
    """An error response. `code` is for programs, `detail` for people; `members` are additional members."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)

    def is_retryable(self) -> bool:
        """Return whether a retry of the request can succeed soon: 5xx, 429, or a `Retry-After` header."""
        is_transient = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status == HTTPStatus.TOO_MANY_REQUESTS
        return is_transient or "Retry-After" in self.headers

    def body(self, request_id: str) -> str:
        """Return the problem document as JSON."""
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
class ProblemType:
    """The problem for one type of error: its status and code; the error's message becomes `detail`.

    `fields` returns the fields of Problem that depend on the error.
    """

    status: int
    code: str
    headers: Mapping[str, str]
    fields: Callable[[Any], Mapping[str, Any]]

    def __call__(self, error: Exception) -> Problem:
        """Return the problem for an error."""
        return Problem(self.status, self.code, **{"detail": str(error), "headers": self.headers, **self.fields(error)})


def problem_type(
    status: int, code: str, fields: Callable[[Any], Mapping[str, Any]] = lambda _error: {}, **headers: str
) -> ProblemType:
    """Create a ProblemType. In the names of `headers`, `_` stands for `-`."""
    return ProblemType(status, code, {name.replace("_", "-"): value for name, value in headers.items()}, fields)
