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
        """Sign up, or sign in if the account exists, and return a client for that user, who may buy and sell.

        Where that requires a verified address, the link is read from the local mailbox. Raises UnexpectedResponse.
        """
        credentials = {"email": email, "password": password}
        answer = self.post("/api/users/signup", credentials)
        is_new = answer.status != HTTPStatus.CONFLICT
        if not is_new:
            answer = self.post("/api/users/signin", credentials)
        user = answer.expect(HTTPStatus.OK, HTTPStatus.CREATED)
        signed_in = Client(self.url, user["token"], email, self.timeout)
        if user["emailVerified"] or user["verification"] != "required":
            return signed_in
        if is_new:
            self._verify(email)
            return signed_in
        # The link of the sign-up may have expired. API Gateway keeps what the authorizer answered to this token.
        signed_in.post("/api/users/email/verification", None).expect(HTTPStatus.NO_CONTENT)
        self._verify(email)
        return self.sign_up_or_in(email, password)

    def _verify(self, email: str, *, seconds: float = 30.0) -> None:
        """Use the newest link that verifies this address, once it has arrived in the local mailbox."""
        deadline = time.monotonic() + seconds
        while not (token := self._verification_token(email)):
            if time.monotonic() > deadline:
                raise UnexpectedResponse(f"no mail to {email} arrived within {seconds:.0f} s")
            time.sleep(0.1)
        self.post("/api/users/email/verify", {"token": token}).expect(HTTPStatus.NO_CONTENT)

    def _verification_token(self, email: str) -> str | None:
        answer = self.get("/mail.json")
        if answer.status != HTTPStatus.OK or not isinstance(answer.body, dict):
            raise UnexpectedResponse(
                f"{self.url} requires verified addresses, and has no mailbox that can be read here."
                " Set `verify_email = false` in the stage's settings while you run this."
            )
        links = (link for mail in answer.body["mails"] if mail["to"] == email for link in mail["links"])
        return next((link.partition("#")[2] for link in links if "/verify#" in link), None)


def _parsed(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
