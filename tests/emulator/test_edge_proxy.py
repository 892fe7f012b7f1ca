"""The edge proxy before an API that echoes the request."""

import gzip
import http.client
import http.server
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from local.edge.origin import AT_ONCE
from local.edge.proxy import BODY_LIMIT
from local.edge.web_client import WebClient
from local.supervision.ports import HOST
from tests.support.edge_proxy import ServedProxy, serving


class _Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    inside = 0
    max_inside = 0
    counting = threading.Lock()

    def do_GET(self) -> None:
        kind = type(self)
        with self.counting:
            kind.inside += 1
            kind.max_inside = max(kind.inside, kind.max_inside)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "slow" in self.path:
            time.sleep(0.1)
        received = {
            "method": self.command,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "length": len(body),
            "body": body[:100].decode(errors="replace"),
        }
        with self.counting:
            kind.inside -= 1
        status = 204 if "nothing" in self.path else 302 if "moved" in self.path else 201
        answer = b"" if status == 204 else json.dumps(received).encode()
        self.send_response(status)
        self.send_header("Set-Cookie", "session=one; HttpOnly; Secure")
        self.send_header("Set-Cookie", "other=two")
        self.send_header("Content-Type", "application/problem+json")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        if self.headers.get("X-End"):
            for name, value in (("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "5"), ("X-End", "2")):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def api_port() -> Iterator[int]:
    api = http.server.ThreadingHTTPServer((HOST, 0), _Api)
    api.daemon_threads = True
    threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
    yield api.server_address[1]
    api.shutdown()
    api.server_close()


@pytest.fixture(scope="module")
def web_client(tmp_path_factory: pytest.TempPathFactory) -> WebClient:
    dist = tmp_path_factory.mktemp("dist")
    for document in ("index.html", "page.html"):
        (dist / document).write_text("<title>Admit One</title>")
    return WebClient(dist, {"X-Content-Type-Options": "nosniff"})


def _proxy_of(api_port: int, web_client: WebClient, **settings: Any) -> AbstractContextManager[ServedProxy]:
    return serving(aws_port=api_port, api_id="abc", proof="the proof", web_client=web_client, **settings)


@pytest.fixture(scope="module")
def proxy(api_port: int, web_client: WebClient) -> Iterator[ServedProxy]:
    with _proxy_of(api_port, web_client, stripe_port=api_port) as proxy:
        yield proxy


def _call(
    proxy: ServedProxy, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[http.client.HTTPResponse, Any]:
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {}, body=body)
        response = connection.getresponse()
        text = response.read()
        return response, json.loads(text) if text.startswith(b"{") else text
    finally:
        connection.close()


def _raw(proxy: ServedProxy, request: bytes) -> bytes:
    with socket.create_connection((HOST, proxy.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def _sent(received: Any, name: str) -> list[str]:
    return [value for key, value in received["headers"] if key == name]


def _assert_refused(answer: bytes) -> None:
    assert re.match(rb"HTTP/1\.[01] 400 ", answer)
    assert answer.count(b"HTTP/1.") == 1 + answer.count(b"HTTP/1.1'"), "the error may quote the request"


def test_api_requests_and_answers_pass_unchanged(proxy: ServedProxy) -> None:
    response, received = _call(proxy, "POST", "/api/tickets?limit=2&x=%20y", body=b'{"a": 1}')
    assert received["path"] == "/_aws/execute-api/abc/$default/api/tickets?limit=2&x=%20y"
    assert (received["method"], received["body"]) == ("POST", '{"a": 1}')
    assert response.status == 201
    assert response.headers.get_all("Set-Cookie") == ["session=one; HttpOnly; Secure", "other=two"]
    assert response.headers["Content-Type"] == "application/problem+json"


def test_session_cookie_becomes_a_bearer_token(proxy: ServedProxy) -> None:
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": "a=b; admit-one=ey.J0.x-_; c=d"})
    assert _sent(received, "authorization") == ["Bearer ey.J0.x-_"]
    assert _sent(received, "cookie") == []


def test_all_session_candidates_are_forwarded(proxy: ServedProxy) -> None:
    """There is no TLS here, so the cookie has its name without TLS."""
    cookie = "session=abc.def.ghi; session=o.l.d; admit-one=n.e.w; __Host-admit-one=x.y.z"
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": cookie})
    assert _sent(received, "authorization") == ["Session n.e.w abc.def.ghi o.l.d"]


def test_junk_cookies_are_dropped(proxy: ServedProxy) -> None:
    junk = "; ".join(f"session{number}={'x' * 90}" for number in range(500))
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": f"{junk}; admit-one=g.oo.d"})
    assert _sent(received, "authorization") == ["Bearer g.oo.d"]
    assert "x" * 90 not in json.dumps(received)


def test_an_authorization_header_wins_over_the_cookie(proxy: ServedProxy) -> None:
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": "admit-one=c.oo.kie", "Authorization": "Bearer header"})
    assert _sent(received, "authorization") == ["Bearer header"]


@pytest.mark.parametrize(
    "cookies", ["", "admit-one=", "xadmit-one=a.b.c", "admit-one=a b", "admit-one=a\tb", "admit-one", "admit-one=a.b"]
)
def test_an_invalid_session_cookie_is_ignored(proxy: ServedProxy, cookies: str) -> None:
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": cookies})
    assert _sent(received, "authorization") == []


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000"])
@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://{}", ["same-origin"]),
        ("https://{}", ["cross-site"]),
        ("http://evil.example", ["cross-site"]),
        (None, []),
    ],
)
def test_a_missing_sec_fetch_site_is_derived_from_origin(
    proxy: ServedProxy, host: str, origin: str | None, site: list[str]
) -> None:
    headers = {"Host": host} | ({"Origin": origin.format(host)} if origin else {})
    _, received = _call(proxy, "POST", "/api/users/signout", headers)
    assert _sent(received, "sec-fetch-site") == site
    assert len(_sent(received, "host")) == 1
    assert _sent(received, "host") != [host], "the API has its own"


def test_http_1_0_without_a_host_is_served(proxy: ServedProxy) -> None:
    answer = _raw(proxy, b"GET /api/x HTTP/1.0\r\nOrigin: http://x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 201 ")
    assert b'["sec-fetch-site", "cross-site"]' in answer


def test_head_reaches_the_api_and_has_no_body(proxy: ServedProxy) -> None:
    response, body = _call(proxy, "HEAD", "/api/health")
    assert (response.status, body) == (201, b"")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_api_gets_viewer_address_and_edge_secret(proxy: ServedProxy) -> None:
    claims = {"X-Admit-One-Viewer": "6.6.6.6", "X-Admit-One-Edge": "a guess"}
    _, received = _call(proxy, "GET", "/api/tickets", claims)
    assert _sent(received, "x-admit-one-viewer") == [HOST]
    assert _sent(received, "x-admit-one-edge") == ["the proof"]


def test_forged_forwarding_headers_are_dropped(proxy: ServedProxy) -> None:
    claims = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
    }
    _, received = _call(proxy, "GET", "/api/tickets", claims)
    assert _sent(received, "x-forwarded-for") == [HOST]
    assert "6.6.6.6" not in json.dumps(received)
    assert "evil" not in json.dumps(received)


def test_a_body_at_the_limit_passes_and_a_larger_one_does_not(proxy: ServedProxy) -> None:
    _, received = _call(proxy, "POST", "/api/tickets", body=b"x" * BODY_LIMIT)
    assert received["length"] == BODY_LIMIT
    response, received = _call(proxy, "POST", "/api/tickets", body=b"x" * (BODY_LIMIT + 1))
    assert response.status == 413
    assert received == {"message": "Request Too Long"}


def test_expect_100_of_a_large_body_is_refused_at_once(proxy: ServedProxy) -> None:
    request = f"POST /api/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n"
    assert _raw(proxy, request.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_arrives_whole(proxy: ServedProxy) -> None:
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
    connection.request("POST", "/api/x", body=iter([b"one ", b"two"]), encode_chunked=True)
    received = json.loads(connection.getresponse().read())
    connection.close()
    assert (received["length"], received["body"]) == (7, "one two")
    assert _sent(received, "transfer-encoding") == []


@pytest.mark.parametrize(
    "headers",
    [
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: -1",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: abc",
    ],
)
def test_an_ambiguous_body_length_is_refused(proxy: ServedProxy, headers: str) -> None:
    """`_raw` returns once the connection is closed, so the rest is not taken for a request."""
    _assert_refused(_raw(proxy, f"POST /api/x HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\nabcd".encode()))


def test_an_answer_without_a_body_has_none(proxy: ServedProxy) -> None:
    response, body = _call(proxy, "DELETE", "/api/nothing")
    assert (response.status, body) == (204, b"")
    assert "Content-Length" not in response.headers


def test_at_most_ten_calls_reach_the_api_concurrently(proxy: ServedProxy) -> None:
    with ThreadPoolExecutor(30) as crowd:
        statuses = [each[0].status for each in crowd.map(lambda _: _call(proxy, "GET", "/api/slow"), range(30))]
    assert statuses == [201] * 30
    assert 1 < _Api.max_inside <= AT_ONCE


@pytest.mark.parametrize("path", ["/", "/index.html", "/orders/01KB?a=b.c", "/apix", "/_ministack/reset"])
def test_all_other_paths_serve_the_web_client(proxy: ServedProxy, path: str) -> None:
    response, body = _call(proxy, "GET", path)
    assert (response.status, body) == (200, b"<title>Admit One</title>")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("DELETE", "/_ministack/reset"), ("GET", "/no.js")])
def test_other_methods_and_missing_files_are_not_found(proxy: ServedProxy, method: str, path: str) -> None:
    response, _ = _call(proxy, method, path)
    assert response.status == 404


def test_the_local_stripe_is_reached_without_the_session(proxy: ServedProxy) -> None:
    headers = {"Cookie": "admit-one=secret", "Content-Type": "application/x-www-form-urlencoded"}
    _, received = _call(proxy, "POST", "/local-stripe/v1/payment_intents/pi_1/confirm", headers, b"key=pk_test")
    assert (received["path"], received["body"]) == ("/v1/payment_intents/pi_1/confirm", "key=pk_test")
    assert _sent(received, "content-type") == ["application/x-www-form-urlencoded"]
    assert "secret" not in json.dumps(received)


def test_without_a_local_stripe_its_path_is_not_found(api_port: int, web_client: WebClient) -> None:
    with _proxy_of(api_port, web_client) as proxy:
        response, _ = _call(proxy, "POST", "/local-stripe/v1/payment_intents/pi_1/confirm", body=b"")
        assert response.status == 404


def test_an_invalid_request_target_is_a_bad_request(proxy: ServedProxy) -> None:
    for target in (b"/api/\xff\x00", b"/api/\xff", b"/api/\xc3\xa9", b"/api/x y"):
        _assert_refused(_raw(proxy, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))


def test_an_unreachable_api_is_503_and_the_proxy_keeps_running(web_client: WebClient) -> None:
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        with _proxy_of(nobody.getsockname()[1], web_client) as proxy:
            for path in ("/api/tickets", "/api/orders"):
                response, received = _call(proxy, "GET", path)
                assert (response.status, received) == (503, {"message": "Service Unavailable"})


@pytest.mark.parametrize("path", ["/", "/api/tickets"])
def test_a_method_that_cloudfront_does_not_forward_is_refused(proxy: ServedProxy, path: str) -> None:
    response, _ = _call(proxy, "PROPFIND", path)
    assert response.status == 501


def test_headers_of_one_connection_are_dropped(proxy: ServedProxy) -> None:
    headers = {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "Keep-Alive": "5", "X-End": "2"}
    response, received = _call(proxy, "GET", "/api/orders", headers)
    assert _sent(received, "x-end") == ["2"]
    assert not {"x-hop", "te", "keep-alive"} & {name for name, _ in received["headers"]}
    assert response.headers["X-End"] == "2"
    assert not {"x-hop", "keep-alive"} & {name.lower() for name in response.headers}


def test_no_header_is_added_for_the_api(proxy: ServedProxy) -> None:
    request = b"DELETE /api/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = json.loads(_raw(proxy, request).partition(b"\r\n\r\n")[2])
    added = {"x-forwarded-for", "x-forwarded-proto", "x-admit-one-viewer", "x-admit-one-edge", "host", "content-length"}
    assert {name for name, _ in received["headers"]} == added


def test_a_compressed_body_arrives_as_it_was_sent(proxy: ServedProxy) -> None:
    body = gzip.compress(b"{}" * 100)
    _, received = _call(proxy, "POST", "/api/x", {"Content-Encoding": "gzip"}, body)
    assert (received["length"], received["body"][0]) == (len(body), "\x1f")
    assert _sent(received, "content-encoding") == ["gzip"]


def test_a_redirect_is_for_the_browser(proxy: ServedProxy) -> None:
    response, _ = _call(proxy, "GET", "/api/moved")
    assert (response.status, response.headers["Location"]) == (302, "/elsewhere")


def test_a_broken_chunk_is_refused(proxy: ServedProxy) -> None:
    head = b"POST /api/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    _assert_refused(_raw(proxy, head + b"zz\r\nabc\r\n0\r\n\r\n"))


def test_a_chunked_body_over_the_limit_is_refused(proxy: ServedProxy) -> None:
    half = b"x" * (BODY_LIMIT // 2 + 1)
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
    connection.request("POST", "/api/x", body=iter([half, half]), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
