"""The edge proxy's cache of public tickets, before an API that counts its requests."""

import asyncio
import gzip
import http.client
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

import pytest

from local.edge.answer import Answer
from local.edge.cache import Cache, is_cached_path
from local.edge.web_client import WebClient
from local.supervision.ports import HOST
from tests.support.edge_proxy import serving

TICKET = "/api/tickets/01KARTQ2M8Z6V3N4J5X7C9E1F2"
MINE = "/api/tickets/mine"
CACHED = "s-maxage=1"
NO_STORE = "no-store"


@dataclass
class _Origin:
    """What the API answers to GET requests, and which requests it has received."""

    status: int = 200
    cache_control: str = CACHED
    title: str = "as created"
    content_type: str = "application/json"
    pause: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)


class _Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: ClassVar[_Origin]
    counting = threading.Lock()

    def do_GET(self) -> None:
        origin, path = self.origin, self.path.partition("$default")[2]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.counting:
            origin.requests[f"{self.command} {path}"] += 1
        time.sleep(origin.pause)
        is_cached = self.command in {"GET", "HEAD"} and not path.startswith(MINE)
        body = {"path": path, "caller": self.headers.get("Authorization"), "title": origin.title}
        answer = json.dumps(body).encode()
        self.send_response(origin.status)
        self.send_header("Cache-Control", origin.cache_control if is_cached else NO_STORE)
        self.send_header("Content-Type", origin.content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> _Origin:
    _Api.origin = _Origin()
    return _Api.origin


@dataclass
class _Time:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time_of_cache() -> _Time:
    return _Time()


@pytest.fixture
def port(tmp_path_factory: pytest.TempPathFactory, time_of_cache: _Time) -> Iterator[int]:
    """Return the port of an edge proxy, the cache of which has a clock of its own."""
    api = http.server.ThreadingHTTPServer((HOST, 0), _Api)
    api.daemon_threads = True
    threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
    web_client = WebClient(tmp_path_factory.mktemp("dist"), {})
    settings = {"aws_port": api.server_address[1], "api_id": "abc", "proof": "the proof", "web_client": web_client}
    with serving(**settings, clock=time_of_cache) as proxy:
        yield proxy.port
    api.shutdown()
    api.server_close()


def _call(
    port: int, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, Any]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {}, body=b"{}" if method in {"POST", "PUT"} else None)
        response = connection.getresponse()
        text = response.read()
        if response.headers["Content-Encoding"] == "gzip":
            text = gzip.decompress(text)
        return response, json.loads(text) if text else None
    finally:
        connection.close()


def test_fifty_buyers_at_once_cost_one_request(port: int, origin: _Origin) -> None:
    origin.pause = 0.1
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: _call(port, "GET", TICKET), range(50)))
    assert [(response.status, body["title"]) for response, body in answers] == [(200, "as created")] * 50
    assert origin.requests == {f"GET {TICKET}": 1}


def test_a_response_is_kept_for_a_second(port: int, origin: _Origin, time_of_cache: _Time) -> None:
    first, _ = _call(port, "GET", TICKET)
    assert "Age" not in first.headers
    origin.title = "as edited"
    time_of_cache.now = 0.99
    response, body = _call(port, "GET", TICKET)
    assert (body["title"], response.headers["Age"]) == ("as created", "0")
    time_of_cache.now = 1.0
    _, body = _call(port, "GET", TICKET)
    assert body["title"] == "as edited"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_browsers_store_no_response(port: int, origin: _Origin, method: str) -> None:
    for _ in range(2):
        response, _ = _call(port, method, TICKET)
        assert response.headers.get_all("Cache-Control") == [NO_STORE]


def test_paths_and_query_strings_are_not_mixed(port: int, origin: _Origin) -> None:
    targets = [
        "/api/tickets",
        "/api/tickets?limit=1",
        "/api/tickets?%6Cimit=1",
        "/api/tickets?limit=1&limit=1",
        "/api/tickets?limit=1&cursor=abc",
        "/api/tickets?limit=1&other=1",
        TICKET,
        f"{TICKET}?other=1",
    ]
    for _ in range(2):
        assert [_call(port, "GET", target)[1]["path"] for target in targets] == targets
    assert origin.requests == {f"GET {target}": 1 for target in targets}


@pytest.mark.parametrize("cache_control", ["no-cache", "No-Cache", "max-age=0, no-cache"])
def test_a_seller_reads_an_edit_at_once(port: int, origin: _Origin, cache_control: str) -> None:
    _call(port, "GET", TICKET)
    _call(port, "PUT", TICKET)
    origin.title = "as edited"
    for _ in range(2):
        _, body = _call(port, "GET", TICKET, {"Cache-Control": cache_control})
        assert body["title"] == "as edited"
    assert origin.requests[f"GET {TICKET}"] == 3


def test_requests_for_fresh_responses_do_not_wait_for_each_other(port: int, origin: _Origin) -> None:
    """Whatever value a caller puts into the header of the key."""
    headers = {"Cache-Control": "no-cache", "X-Admit-One-Fresh": "the same for all"}
    origin.pause = 0.1
    with ThreadPoolExecutor(5) as crowd:
        list(crowd.map(lambda _: _call(port, "GET", TICKET, headers), range(5)))
    assert origin.requests == {f"GET {TICKET}": 5}


def test_callers_cannot_choose_the_key(port: int, origin: _Origin) -> None:
    for value in ("one", "two"):
        _call(port, "GET", TICKET, {"X-Admit-One-Fresh": value})
    assert origin.requests == {f"GET {TICKET}": 1}


@pytest.mark.parametrize("cache_control", ["", "max-age=0", "no-cachet", "no-store"])
def test_no_other_cache_control_skips_the_cache(port: int, origin: _Origin, cache_control: str) -> None:
    for _ in range(2):
        _call(port, "GET", TICKET, {"Cache-Control": cache_control})
    assert origin.requests == {f"GET {TICKET}": 1}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_only_get_requests_are_cached(port: int, origin: _Origin, method: str) -> None:
    _call(port, "GET", TICKET)
    for _ in range(2):
        _call(port, method, TICKET)
    assert origin.requests == {f"GET {TICKET}": 1, f"{method} {TICKET}": 2}


def test_a_private_list_is_never_shared(port: int, origin: _Origin) -> None:
    origin.pause = 0.1
    callers = [f"Bearer user-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as crowd:
        lists = crowd.map(lambda caller: _call(port, "GET", MINE, {"Authorization": caller})[1], callers)
    assert [each["caller"] for each in lists] == callers


@pytest.mark.parametrize("path", ["/api/tickets/%6Dine", "/api/tickets/mine/", "/api/tickets/mine;x"])
def test_a_private_list_under_another_name_is_never_shared(port: int, origin: _Origin, path: str) -> None:
    """If a path in an unusual form reaches the private list, its `no-store` keeps it out of the cache."""
    origin.pause, origin.cache_control = 0.1, NO_STORE
    callers = [f"Bearer user-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as crowd:
        lists = crowd.map(lambda caller: _call(port, "GET", path, {"Authorization": caller})[1], callers)
    assert [each["caller"] for each in lists] == callers


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
@pytest.mark.parametrize("cache_control", [NO_STORE, CACHED])
def test_errors_are_not_cached(port: int, origin: _Origin, status: int, cache_control: str) -> None:
    origin.status, origin.cache_control = status, cache_control
    assert _call(port, "GET", TICKET)[0].status == status
    origin.status, origin.cache_control = 200, CACHED
    assert _call(port, "GET", TICKET)[0].status == 200


async def _ok() -> Answer:
    return Answer(HTTPStatus.OK, [("Cache-Control", CACHED)], b"")


def test_a_failed_request_is_repeated_by_those_waiting_for_it() -> None:
    calls: list[int] = []

    async def fail() -> Answer:
        await asyncio.sleep(0.1)
        raise ConnectionResetError

    async def succeed() -> Answer:
        calls.append(1)
        return await _ok()

    async def race() -> list[Answer | BaseException]:
        cache = Cache()
        callers = (cache.answer(("/", None), ask) for ask in (fail, succeed))
        return await asyncio.gather(*callers, return_exceptions=True)

    first, second = asyncio.run(race())
    assert isinstance(first, ConnectionResetError)
    assert isinstance(second, Answer)
    assert calls == [1]


@pytest.mark.parametrize("cache_control", ["", NO_STORE, "max-age=5", "s-maxage=0", "public"])
def test_a_response_without_a_lifetime_is_not_kept(port: int, origin: _Origin, cache_control: str) -> None:
    origin.cache_control = cache_control
    for _ in range(2):
        _call(port, "GET", TICKET)
    assert origin.requests == {f"GET {TICKET}": 2}


def test_no_response_is_kept_for_longer_than_a_second(port: int, origin: _Origin, time_of_cache: _Time) -> None:
    origin.cache_control = "s-maxage=60"
    _call(port, "GET", TICKET)
    time_of_cache.now = 1.0
    _call(port, "GET", TICKET)
    assert origin.requests == {f"GET {TICKET}": 2}


def test_expired_responses_are_forgotten(time_of_cache: _Time) -> None:
    cache = Cache(time_of_cache)
    for number in range(100):
        time_of_cache.now = number / 10
        asyncio.run(cache.answer((f"/{number}", None), _ok))
    assert len(cache._kept) <= 11


def test_a_cached_list_is_compressed_for_viewers_that_accept_it(port: int, origin: _Origin) -> None:
    """Both forms come from one request to the API."""
    origin.title = "as created" * 1000
    for _ in range(2):
        compressed, body = _call(port, "GET", "/api/tickets", {"Accept-Encoding": "gzip, deflate, br"})
        assert (compressed.headers["Content-Encoding"], body["title"]) == ("gzip", origin.title)
        assert int(compressed.headers["Content-Length"]) < 1000
        plain, body = _call(port, "GET", "/api/tickets")
        assert (plain.headers["Content-Encoding"], body["title"]) == (None, origin.title)
        assert [each.headers["Vary"] for each in (compressed, plain)] == ["Accept-Encoding"] * 2
        assert [each.headers.get_all("Cache-Control") for each in (compressed, plain)] == [[NO_STORE]] * 2
    assert origin.requests == {"GET /api/tickets": 1}


@pytest.mark.parametrize(
    ("path", "cache_control", "content_type", "length"),
    [
        ("/api/orders", CACHED, "application/json", 5000),
        (MINE, CACHED, "application/json", 5000),
        ("/api/tickets", NO_STORE, "application/json", 5000),
        ("/api/tickets", CACHED, "application/problem+json", 5000),
        ("/api/tickets", CACHED, "application/json", 500),
    ],
)
def test_what_cloudfront_does_not_compress_is_not_compressed(
    port: int, origin: _Origin, path: str, cache_control: str, content_type: str, length: int
) -> None:
    """It compresses what it may cache, of certain types, from 1,000 bytes on."""
    origin.cache_control, origin.content_type, origin.title = cache_control, content_type, "a" * length
    response, body = _call(port, "GET", path, {"Accept-Encoding": "gzip"})
    assert body["title"] == origin.title
    assert not {"Content-Encoding", "Vary"} & set(response.headers)


def test_other_paths_are_not_cached() -> None:
    paths = ["/api/tickets", TICKET, MINE, "/api/orders", "/api/ticketsx", "/api/users/currentuser", "/tickets/1"]
    assert [path for path in paths if is_cached_path(path)] == ["/api/tickets", TICKET]
