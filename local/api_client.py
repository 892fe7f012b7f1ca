"""A small client of the HTTP API, for seeding, the demo and the end-to-end tests."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit


class ApiUnreachable(RuntimeError):
    """No server answers at the address."""


class UnexpectedResponse(RuntimeError):
    """The API sent a response that the caller cannot continue with."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Headers by lower-case name; for a repeated header, the last value."""
    body: Any
    """The parsed JSON; text if the body is not JSON, None if it is empty."""

    def expect(self, *statuses: int) -> Any:
        """Return the body if the status is one of these. Raises UnexpectedResponse with the problem's `detail`."""
        if self.status not in statuses:
            detail = self.body.get("detail") or self.body.get("title") if isinstance(self.body, dict) else self.body
            expected = " or ".join(map(str, statuses))
            raise UnexpectedResponse(f"expected {expected}, the API answered {self.status}: {detail}")
        return self.body

    @property
    def code(self) -> str | None:
        """The problem's machine-readable `code`."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass(frozen=True, slots=True)
class Client:
    """A caller with or without a token. Safe for several threads."""

    url: str
    token: str | None = None
    email: str | None = None
    timeout: float = 60.0

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Response:
        """Send `body` as JSON, or `raw` unchanged. Raises ApiUnreachable."""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        address = urlsplit(self.url)
        connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = connect(address.hostname or "", address.port, timeout=self.timeout)
        try:
            connection.request(method, path, body=raw, headers=sent)
            response = connection.getresponse()
            text = response.read().decode()
            return Response(
                response.status, {name.lower(): value for name, value in response.getheaders()}, _parsed(text)
            )
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnreachable(f"{method} {self.url}{path}: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str) -> Response:
        """Read the current state, past the edge's cache."""
        return self.call("GET", path, headers={"Cache-Control": "no-cache"})

    def post(self, path: str, body: object, **headers: str) -> Response:
        """Send a POST. Header names are written with underscores: `Idempotency_Key="..."`."""
        return self.call("POST", path, body, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def post_until_replicated(self, path: str, body: object, *, seconds: float = 30.0) -> Response:
        """POST, and retry while the answer asks for a retry: the resource may not have been replicated yet."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.post(path, body)
            wait = answer.headers.get("retry-after", "")
            if answer.status != HTTPStatus.NOT_FOUND or not wait.isdecimal() or time.monotonic() > deadline:
                return answer
            time.sleep(int(wait))

    def put(self, path: str, body: object) -> Response:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> Response:
        return self.call("DELETE", path)

    def is_there(self) -> bool:
        try:
            self.get("/")
        except ApiUnreachable:
            return False
        return True

    def sign_up_or_in(self, email: str, password: str) -> "Client":
        """Sign up, or sign in if the account exists, and return a client for that user. Raises UnexpectedResponse."""
        credentials = {"email": email, "password": password}
        answer = self.post("/api/users/signup", credentials)
        if answer.status == HTTPStatus.CONFLICT:
            answer = self.post("/api/users/signin", credentials)
        token = answer.expect(HTTPStatus.OK, HTTPStatus.CREATED)["token"]
        return Client(self.url, token, email, self.timeout)


def _parsed(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
