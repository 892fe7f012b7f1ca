"""The edge proxy before an API that echoes the request."""

import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.edge.proxy import AT_ONCE, BODY_LIMIT, FINISHES_WITHIN, PROOF_VARIABLE, EdgeProxy
from local.edge.web_client import WebClient
from local.supervision.ports import HOST, Ports


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
            "body": body[:100].decode(),
        }
        with self.counting:
            kind.inside -= 1
        status = 204 if "nothing" in self.path else 201
        answer = b"" if status == 204 else json.dumps(received).encode()
        self.send_response(status)
        self.send_header("Set-Cookie", "session=one; HttpOnly; Secure")
        self.send_header("Set-Cookie", "other=two")
        self.send_header("Content-Type", "application/problem+json")
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProxy]:
    api = http.server.ThreadingHTTPServer((HOST, 0), _Api)
    api.daemon_threads = True
    dist = tmp_path_factory.mktemp("dist")
    for document in ("index.html", "page.html"):
        (dist / document).write_text("<title>Admit One</title>")
    web = WebClient(dist, {"X-Content-Type-Options": "nosniff"})
    port = api.server_address[1]
    proxy = EdgeProxy(0, aws_port=port, api_id="abc", proof="the proof", web=web, stripe_port=port)
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True) for each in (api, proxy)]
    for thread in threads:
        thread.start()
    yield proxy
    for each in (proxy, api):
        each.shutdown()
        each.server_close()


def _call(
    proxy: EdgeProxy, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[http.client.HTTPResponse, Any]:
    connection = http.client.HTTPConnection(HOST, proxy.server_address[1], timeout=10)
    try:
        connection.request(method, path, headers=headers or {}, body=body)
        response = connection.getresponse()
        text = response.read()
        return response, json.loads(text) if text.startswith(b"{") else text
    finally:
        connection.close()


def _raw(proxy: EdgeProxy, request: bytes) -> bytes:
    with socket.create_connection((HOST, proxy.server_address[1]), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def _sent(received: Any, name: str) -> list[str]:
    return [value for key, value in received["headers"] if key == name]


def test_api_requests_and_answers_pass_unchanged(proxy: EdgeProxy) -> None:
    response, received = _call(proxy, "POST", "/api/tickets?limit=2&x=%20y", body=b'{"a": 1}')
    assert received["path"] == "/_aws/execute-api/abc/$default/api/tickets?limit=2&x=%20y"
    assert (received["method"], received["body"]) == ("POST", '{"a": 1}')
    assert response.status == 201
    assert response.headers.get_all("Set-Cookie") == ["session=one; HttpOnly; Secure", "other=two"]
    assert response.headers["Content-Type"] == "application/problem+json"


def test_session_cookie_becomes_a_bearer_token(proxy: EdgeProxy) -> None:
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": "a=b; admit-one=ey.J0.x-_; c=d"})
    assert _sent(received, "authorization") == ["Bearer ey.J0.x-_"]
    assert _sent(received, "cookie") == []


def test_all_session_candidates_are_forwarded(proxy: EdgeProxy) -> None:
    """There is no TLS here, so the cookie has its name without TLS."""
    cookie = "session=abc.def.ghi; session=o.l.d; admit-one=n.e.w; __Host-admit-one=x.y.z"
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": cookie})
    assert _sent(received, "authorization") == ["Session n.e.w abc.def.ghi o.l.d"]


def test_junk_cookies_are_dropped(proxy: EdgeProxy) -> None:
    junk = "; ".join(f"session{number}={'x' * 90}" for number in range(500))
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": f"{junk}; admit-one=g.oo.d"})
    assert _sent(received, "authorization") == ["Bearer g.oo.d"]
    assert "x" * 90 not in json.dumps(received)


def test_an_authorization_header_wins_over_the_cookie(proxy: EdgeProxy) -> None:
    _, received = _call(proxy, "GET", "/api/orders", {"Cookie": "admit-one=c.oo.kie", "Authorization": "Bearer header"})
    assert _sent(received, "authorization") == ["Bearer header"]


@pytest.mark.parametrize(
    "cookies", ["", "admit-one=", "xadmit-one=a.b.c", "admit-one=a b", "admit-one=a\tb", "admit-one", "admit-one=a.b"]
)
def test_an_invalid_session_cookie_is_ignored(proxy: EdgeProxy, cookies: str) -> None:
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
    proxy: EdgeProxy, host: str, origin: str | None, site: list[str]
) -> None:
    headers = {"Host": host} | ({"Origin": origin.format(host)} if origin else {})
    _, received = _call(proxy, "POST", "/api/users/signout", headers)
    assert _sent(received, "sec-fetch-site") == site
    assert len(_sent(received, "host")) == 1
    assert _sent(received, "host") != [host], "the API has its own"


def test_http_1_0_without_a_host_is_served(proxy: EdgeProxy) -> None:
    answer = _raw(proxy, b"GET /api/x HTTP/1.0\r\nOrigin: http://x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b'["sec-fetch-site", "cross-site"]' in answer


def test_head_reaches_the_api_and_has_no_body(proxy: EdgeProxy) -> None:
    response, body = _call(proxy, "HEAD", "/api/health")
    assert (response.status, body) == (201, b"")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_api_gets_viewer_address_and_edge_secret(proxy: EdgeProxy) -> None:
    claims = {"X-Admit-One-Viewer": "6.6.6.6", "X-Admit-One-Edge": "a guess"}
    _, received = _call(proxy, "GET", "/api/tickets", claims)
    assert _sent(received, "x-admit-one-viewer") == [HOST]
    assert _sent(received, "x-admit-one-edge") == ["the proof"]


def test_forged_forwarding_headers_are_dropped(proxy: EdgeProxy) -> None:
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


def test_a_body_at_the_limit_passes_and_a_larger_one_does_not(proxy: EdgeProxy) -> None:
    _, received = _call(proxy, "POST", "/api/tickets", body=b"x" * BODY_LIMIT)
    assert received["length"] == BODY_LIMIT
    response, received = _call(proxy, "POST", "/api/tickets", body=b"x" * (BODY_LIMIT + 1))
    assert response.status == 413
    assert received == {"message": "Request Too Long"}


def test_expect_100_of_a_large_body_is_refused_at_once(proxy: EdgeProxy) -> None:
    request = f"POST /api/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n"
    assert _raw(proxy, request.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_arrives_whole(proxy: EdgeProxy) -> None:
    connection = http.client.HTTPConnection(HOST, proxy.server_address[1], timeout=10)
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
def test_an_ambiguous_body_length_is_refused(proxy: EdgeProxy, headers: str) -> None:
    answer = _raw(proxy, f"POST /api/x HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\nabcd".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer


def test_an_answer_without_a_body_has_none(proxy: EdgeProxy) -> None:
    response, body = _call(proxy, "DELETE", "/api/nothing")
    assert (response.status, body) == (204, b"")
    assert "Content-Length" not in response.headers


def test_one_connection_serves_many_requests(proxy: EdgeProxy) -> None:
    connection = http.client.HTTPConnection(HOST, proxy.server_address[1], timeout=10)
    for path in ("/api/one", "/", "/api/two", "/nowhere", "/api/three"):
        connection.request("POST" if "api" in path else "GET", path, body=b"{}" if "api" in path else None)
        connection.getresponse().read()
    connection.close()


def test_at_most_ten_calls_reach_the_api_concurrently(proxy: EdgeProxy) -> None:
    with ThreadPoolExecutor(30) as crowd:
        statuses = [each[0].status for each in crowd.map(lambda _: _call(proxy, "GET", "/api/slow"), range(30))]
    assert statuses == [201] * 30
    assert 1 < _Api.max_inside <= AT_ONCE


def test_a_closing_proxy_finishes_accepted_requests_only(proxy: EdgeProxy) -> None:
    closing = EdgeProxy(0, aws_port=proxy.aws_port, api_id="abc", proof="the proof", web=proxy.web)
    serving = threading.Thread(target=closing.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    with ThreadPoolExecutor(AT_ONCE + 5) as crowd:
        answers = [crowd.submit(_call, closing, "GET", "/api/slow") for _ in range(AT_ONCE + 5)]
        time.sleep(0.05)
        closing.close()
        serving.join(5)
        started = time.monotonic()
        closing.finish()
        assert time.monotonic() - started < FINISHES_WITHIN, "it waited although no request was left"
        statuses = sorted(answer.result()[0].status for answer in answers)
    closing.server_close()
    assert statuses == [201] * AT_ONCE + [503] * 5


def test_the_command_ends_soon_after_sigterm() -> None:
    port = Ports.free().edge_proxy
    command = [sys.executable, "-m", "local.edge.proxy", "--port", str(port), "--aws-port", "9", "--api-id", "abc"]
    with subprocess.Popen(command, env={**os.environ, PROOF_VARIABLE: "the proof"}, stderr=subprocess.DEVNULL) as proxy:  # noqa: S603
        deadline = time.monotonic() + 30
        while (status := _status(port, "/api/tickets")) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 503
        proxy.terminate()
        try:
            assert proxy.wait(FINISHES_WITHIN + 2) == 0
        finally:
            proxy.kill()


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/index.html", "/orders/01KB?a=b.c", "/apix", "/_ministack/reset"])
def test_all_other_paths_serve_the_web_client(proxy: EdgeProxy, path: str) -> None:
    response, body = _call(proxy, "GET", path)
    assert (response.status, body) == (200, b"<title>Admit One</title>")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("DELETE", "/_ministack/reset"), ("GET", "/no.js")])
def test_other_methods_and_missing_files_are_not_found(proxy: EdgeProxy, method: str, path: str) -> None:
    response, _ = _call(proxy, method, path)
    assert response.status == 404


def test_the_local_stripe_is_reached_without_the_session(proxy: EdgeProxy) -> None:
    headers = {"Cookie": "admit-one=secret", "Content-Type": "application/x-www-form-urlencoded"}
    _, received = _call(proxy, "POST", "/local-stripe/v1/payment_intents/pi_1/confirm", headers, b"key=pk_test")
    assert (received["path"], received["body"]) == ("/v1/payment_intents/pi_1/confirm", "key=pk_test")
    assert _sent(received, "content-type") == ["application/x-www-form-urlencoded"]
    assert "secret" not in json.dumps(received)


def test_without_a_local_stripe_its_path_is_not_found(tmp_path: Path) -> None:
    with _opened(EdgeProxy(0, aws_port=1, api_id="abc", proof="", web=WebClient(tmp_path, {}))) as proxy:
        response, _ = _call(proxy, "POST", "/local-stripe/v1/payment_intents/pi_1/confirm", body=b"")
        assert response.status == 404


def test_an_invalid_request_target_is_a_bad_request(proxy: EdgeProxy) -> None:
    assert _raw(proxy, b"GET /api/\xff\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(
        b"HTTP/1.1 400 "
    )


def test_an_unreachable_api_is_503_and_the_proxy_keeps_running(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        away = EdgeProxy(0, aws_port=nobody.getsockname()[1], api_id="abc", proof="", web=WebClient(tmp_path, {}))
        with _opened(away) as proxy:
            for _ in range(2):
                response, received = _call(proxy, "GET", "/api/tickets")
                assert (response.status, received) == (503, {"message": "Service Unavailable"})


@contextmanager
def _opened(proxy: EdgeProxy) -> Iterator[EdgeProxy]:
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()
