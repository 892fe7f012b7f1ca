"""API Gateway in this process: HTTP requests, byte for byte, become events for the real handlers.

`requests` and schemathesis call the API through it. Responses of API Gateway itself (no such route) are marked with a
header, because the API does not define their bodies.
"""

import base64
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from shared.ids import new_id
from tests.support.lambda_events import Person
from tests.support.world import World

URL = "http://admit-one.test"
OWN = "Gateway-Own-Answer"
TEXT = ("text/", "application/json", "application/javascript", "application/xml")

type Authorizer = Callable[[str | None], Person | None]
"""Returns the user of an `Authorization` header, or None."""


class InProcessApiGateway(HTTPAdapter):
    """A transport for `requests.Session.mount`; `routes` maps the route keys of the CDK app to their functions."""

    def __init__(self, world: World, routes: Mapping[str, str], *, public: frozenset[str], who: Authorizer) -> None:
        super().__init__()
        self._world = world
        self._routes = {tuple(key.split()): function for key, function in routes.items()}
        self._public = public
        self._who = who

    def session(self) -> requests.Session:
        """Return a client of this API."""
        session = requests.Session()
        session.trust_env = False
        session.mount(URL, self)
        return session

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Answer one request."""
        assert request.method
        assert request.url
        url = urlsplit(request.url)
        found = self._route(request.method, url.path)
        if found is None:
            return self._response(request, 404, {OWN: "true"}, b'{"message":"Not Found"}')
        key, function, parameters = found
        event = _event(request, url.path, url.query, key, parameters)
        if key not in self._public:
            person = self._who(event["headers"].get("authorization"))
            event["requestContext"]["authorizer"] = {"lambda": person.context if person else {}}
        answer = self._world.invoke(function, event)
        body = answer["body"].encode()
        if answer["isBase64Encoded"]:
            body = base64.b64decode(body)
        headers = dict(answer["headers"])
        if answer.get("cookies"):
            headers["Set-Cookie"] = ", ".join(answer["cookies"])
        return self._response(request, answer["statusCode"], headers, body)

    def _response(
        self, request: requests.PreparedRequest, status: int, headers: Mapping[str, str], body: bytes
    ) -> requests.Response:
        raw = urllib3.HTTPResponse(body=BytesIO(body), headers=headers, status=status, preload_content=False)
        return self.build_response(request, raw)

    def _route(self, method: str, path: str) -> tuple[str, str, dict[str, str]] | None:
        """Return route key, function and path parameters: a literal segment takes precedence over a parameter."""
        steps = path.strip("/").split("/")
        for literal in (True, False):
            for (its_method, pattern), function in self._routes.items():
                names = pattern.strip("/").split("/")
                if its_method != method or len(names) != len(steps) or literal == ("{" in pattern):
                    continue
                pairs = [*zip(names, steps, strict=True)]
                if all(step and (name == step or name.startswith("{")) for name, step in pairs):
                    parameters = {name.strip("{}"): unquote(step) for name, step in pairs if name.startswith("{")}
                    return f"{method} {pattern}", function, parameters
        return None


def _event(
    request: requests.PreparedRequest, path: str, query: str, key: str, parameters: dict[str, str]
) -> dict[str, Any]:
    """Return the request in payload format 2.0: lower-case header names, separate cookies, binary bodies in base64."""
    headers = {_text(name).lower(): _text(value) for name, value in request.headers.items()}
    sent = body_of(request)
    cookie = headers.pop("cookie", None)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "requestId": f"request-{new_id()}",
            "stage": "$default",
            "http": {"method": request.method, "path": unquote(path), "sourceIp": "203.0.113.7"},
        },
        "isBase64Encoded": False,
    }
    if parameters:
        event["pathParameters"] = parameters
    if query:
        event["queryStringParameters"] = _query(query)
    if cookie:
        event["cookies"] = [each.strip() for each in cookie.split(";")]
    if sent:
        is_text = headers.get("content-type", "").startswith(TEXT)
        try:
            event |= {"body": sent.decode(), "isBase64Encoded": False} if is_text else _binary(sent)
        except UnicodeDecodeError:
            event |= _binary(sent)
    return event


def body_of(request: requests.PreparedRequest) -> bytes:
    """Return the body as bytes."""
    body = request.body or b""
    if isinstance(body, str):
        return body.encode()
    assert isinstance(body, bytes)
    return body


def _binary(sent: bytes) -> dict[str, Any]:
    return {"body": base64.b64encode(sent).decode(), "isBase64Encoded": True}


def _query(query: str) -> dict[str, str]:
    """Return the query parameters; repeated ones are joined by commas."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = (unquote(part.replace("+", " ")) for part in pair.partition("="))
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
