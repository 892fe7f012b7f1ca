"""Connections of the edge proxy: kept open, streamed, broken off, and closed at its end."""

import gzip
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local.edge import PROOF_VARIABLE, origin
from local.edge.origin import AT_ONCE
from local.edge.web_client import WebClient
from local.supervision.ports import HOST, Ports
from tests.support.edge_proxy import ServedProxy, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CACHED = b"HTTP/1.1 200 OK\r\nCache-Control: s-maxage=1\r\nContent-Length: 2\r\n\r\nok"
ENDS_WITHIN = 2.0


class _Viewer:
    """One connection of the API, as its handler sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def request(self) -> bytes:
        """Read the head of a request; empty if there is none."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = self.connection.recv(1)
            if not part:
                return b""
            head += part
        return head

    def read(self, size: int) -> bytes:
        body = b""
        while len(body) < size and (part := self.connection.recv(size - len(body))):
            body += part
        return body

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Api:
    """Runs `handle` for each connection, in a thread."""

    def __init__(self, handle: Callable[[_Viewer], None]) -> None:
        self.connections = 0
        self._handle = handle
        self._listener = socket.create_server((HOST, 0), backlog=300)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the caller may have gone
            self._handle(_Viewer(connection))

    def close(self) -> None:
        self._listener.close()


@contextmanager
def _before(handle: Callable[[_Viewer], None], tmp_path: Path) -> Iterator[tuple[ServedProxy, _Api]]:
    """Serve before an API that handles connections so."""
    api = _Api(handle)
    (tmp_path / "index.html").write_text("<title>Admit One</title>")
    try:
        with serving(aws_port=api.port, api_id="abc", proof="", web_client=WebClient(tmp_path, {})) as proxy:
            yield proxy, api
    finally:
        api.close()


def _answer_all(viewer: _Viewer) -> None:
    while viewer.request():
        viewer.send(OK)


def _status(port: int, path: str, method: str = "GET", timeout: float = 10) -> int | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return response.status
    finally:
        connection.close()


def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    with _before(_answer_all, tmp_path) as (proxy, api):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.connect()
        opened = connection.sock
        for path in ("/api/one", "/", "/api/tickets", "/nowhere.js", "/api/two"):
            connection.request("GET", path)
            connection.getresponse().read()
            assert connection.sock is opened
        connection.close()
        assert api.connections == 1


def test_200_connections_at_once_are_answered(tmp_path: Path) -> None:
    paths = ("/", "/api/orders", "/api/tickets", "/api/users/currentuser")
    with _before(_answer_all, tmp_path) as (proxy, api):
        connections = [http.client.HTTPConnection(HOST, proxy.port, timeout=30) for _ in range(200)]
        for _ in range(2):
            for number, connection in enumerate(connections):
                connection.request("GET", paths[number % len(paths)])
            responses = [connection.getresponse() for connection in connections]
            assert [(response.status, len(response.read()) > 0) for response in responses] == [(200, True)] * 200
        for connection in connections:
            connection.close()
        assert api.connections <= AT_ONCE


def test_a_response_is_passed_on_while_it_arrives(tmp_path: Path) -> None:
    has_first = threading.Event()

    def handle(viewer: _Viewer) -> None:
        viewer.request()
        viewer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n" + b"a" * 4000)
        assert has_first.wait(10)
        viewer.send(b"b" * 4000)

    with _before(handle, tmp_path) as (proxy, _):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.request("GET", "/api/export")
        response = connection.getresponse()
        assert response.read(4000) == b"a" * 4000
        has_first.set()
        assert response.read() == b"b" * 4000
        connection.close()


def test_a_large_response_waits_for_a_slow_viewer(tmp_path: Path) -> None:
    """It is not collected in the proxy: the API cannot send more than the buffers of the sockets."""
    sent = 0

    def handle(viewer: _Viewer) -> None:
        nonlocal sent
        viewer.request()
        viewer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            viewer.send(b"a" * 1_000_000)
            sent += 1_000_000

    with _before(handle, tmp_path) as (proxy, _):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.request("GET", "/api/export")
        response = connection.getresponse()
        time.sleep(0.5)
        assert sent < 50_000_000
        assert len(response.read()) == 100_000_000
        connection.close()


def test_a_response_that_the_api_has_compressed_passes_unchanged(tmp_path: Path) -> None:
    body = gzip.compress(b"{}")

    def handle(viewer: _Viewer) -> None:
        viewer.request()
        viewer.send(f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with _before(handle, tmp_path) as (proxy, _):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.request("GET", "/api/orders")
        response = connection.getresponse()
        assert (response.headers["Content-Encoding"], response.read()) == ("gzip", body)
        connection.close()


def test_a_request_body_is_passed_on_while_it_arrives(tmp_path: Path) -> None:
    has_first = threading.Event()

    def handle(viewer: _Viewer) -> None:
        assert b"Content-Length: 8000\r\n" in viewer.request()
        assert viewer.read(4000) == b"a" * 4000
        has_first.set()
        assert viewer.read(4000) == b"b" * 4000
        viewer.send(OK)

    with (
        _before(handle, tmp_path) as (proxy, _),
        socket.create_connection((HOST, proxy.port), timeout=10) as connection,
    ):
        connection.sendall(b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n" + b"a" * 4000)
        assert has_first.wait(10)
        connection.sendall(b"b" * 4000)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_viewer_that_asks_first_is_told_to_send_its_body(tmp_path: Path) -> None:
    def handle(viewer: _Viewer) -> None:
        assert b"expect" not in viewer.request().lower()
        assert viewer.read(4) == b"abcd"
        viewer.send(OK)

    with (
        _before(handle, tmp_path) as (proxy, _),
        socket.create_connection((HOST, proxy.port), timeout=10) as connection,
    ):
        connection.sendall(b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abcd")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("framing", [b"Content-Length: 90", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("is_reset", [False, True])
def test_a_response_that_breaks_off_is_not_taken_for_whole(tmp_path: Path, framing: bytes, *, is_reset: bool) -> None:
    def handle(viewer: _Viewer) -> None:
        viewer.request()
        viewer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n3\r\nabc\r\n")
        time.sleep(0.2)
        if is_reset:
            viewer.reset()

    with _before(handle, tmp_path) as (proxy, _):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.request("GET", "/api/orders")
        response = connection.getresponse()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        connection.close()


@pytest.mark.parametrize(("method", "times"), [("DELETE", 1), ("PUT", 1), ("POST", 1), ("GET", 2)])
def test_a_write_whose_response_is_lost_is_not_repeated(tmp_path: Path, method: str, times: int) -> None:
    received: list[bytes] = []

    def handle(viewer: _Viewer) -> None:
        if viewer.request().startswith(b"OPTIONS"):
            viewer.send(OK)
            viewer.request()
        received.append(b"lost")

    with _before(handle, tmp_path) as (proxy, _):
        assert _status(proxy.port, "/api/orders/1", "OPTIONS") == 200  # the connection for it is then a kept one
        assert _status(proxy.port, "/api/orders/1", method) == 503
        assert len(received) == times


@pytest.mark.parametrize("path", ["/api/orders", "/api/tickets"])
def test_an_api_that_is_late_is_504(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "RESPONDS_WITHIN", 0.2)
    is_over = threading.Event()

    def handle(viewer: _Viewer) -> None:
        viewer.request()
        is_over.wait(10)

    with _before(handle, tmp_path) as (proxy, _):
        connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())) == (504, {"message": "Gateway Timeout"})
        connection.close()
        is_over.set()


def test_a_viewer_that_leaves_while_it_sends_harms_no_other(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    def handle(viewer: _Viewer) -> None:
        while head := viewer.request():
            if b"POST" in head:
                bodies.append(viewer.read(8000))
            viewer.send(OK)

    with _before(handle, tmp_path) as (proxy, _):
        for _ in range(AT_ONCE + 1):
            with socket.create_connection((HOST, proxy.port), timeout=10) as leaving:
                leaving.sendall(b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n" + b"a" * 4000)
        assert _status(proxy.port, "/api/orders") == 200
    assert all(len(body) <= 4000 for body in bodies)


def test_a_viewer_that_leaves_while_it_receives_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(viewer: _Viewer) -> None:
        while head := viewer.request():
            if b"export" not in head:
                viewer.send(OK)
                continue
            viewer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            for _ in range(100):
                viewer.send(b"a" * 1_000_000)

    with _before(handle, tmp_path) as (proxy, _):
        for _ in range(AT_ONCE + 1):
            with socket.create_connection((HOST, proxy.port), timeout=10) as leaving:
                leaving.sendall(b"GET /api/export HTTP/1.1\r\nHost: x\r\n\r\n")
                assert leaving.recv(100)
        assert _status(proxy.port, "/api/orders") == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_viewer_that_leaves_does_not_end_the_request_that_others_wait_for(tmp_path: Path) -> None:
    received: list[bytes] = []
    is_asked, has_left = threading.Event(), threading.Event()

    def handle(viewer: _Viewer) -> None:
        while head := viewer.request():
            received.append(head)
            is_asked.set()
            has_left.wait(10)
            viewer.send(CACHED)

    with _before(handle, tmp_path) as (proxy, _), ThreadPoolExecutor(5) as crowd:
        with socket.create_connection((HOST, proxy.port), timeout=10) as leaving:
            leaving.sendall(b"GET /api/tickets HTTP/1.1\r\nHost: x\r\n\r\n")
            assert is_asked.wait(10)
            statuses = [crowd.submit(_status, proxy.port, "/api/tickets") for _ in range(5)]
            time.sleep(0.3)
        time.sleep(0.1)
        has_left.set()
        assert [status.result() for status in statuses] == [200] * 5
        assert len(received) == 1


def test_a_closing_proxy_finishes_requests_in_flight_and_refuses_the_rest(tmp_path: Path) -> None:
    is_asked = threading.Barrier(AT_ONCE + 1)

    def handle(viewer: _Viewer) -> None:
        viewer.request()
        is_asked.wait(10)
        time.sleep(0.3)
        viewer.send(OK)

    api = _Api(handle)
    closing = ServedProxy(aws_port=api.port, api_id="abc", proof="", web_client=WebClient(tmp_path, {}))
    with ThreadPoolExecutor(AT_ONCE + 5) as crowd:
        statuses = [crowd.submit(_status, closing.port, "/api/orders") for _ in range(AT_ONCE + 5)]
        is_asked.wait(10)
        time.sleep(0.1)
        assert closing.stop() == 0
        assert sorted(status.result() or 0 for status in statuses) == [200] * AT_ONCE + [503] * 5
        assert _status(closing.port, "/") is None
    api.close()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, _Api]]:
    """Run the command before an API that answers after the seconds in the path. Return it with its port and the API."""

    def handle(viewer: _Viewer) -> None:
        while head := viewer.request():
            time.sleep(float(head.partition(b"/sleep/")[2].partition(b" ")[0] or b"0"))
            viewer.send(OK)

    api = _Api(handle)
    port = Ports.free().edge_proxy
    words = [sys.executable, "-m", "local.edge.proxy", "--port", str(port), "--aws-port", str(api.port)]
    with subprocess.Popen(  # noqa: S603
        [*words, "--api-id", "abc"],
        env={**os.environ, PROOF_VARIABLE: "the proof"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == f"The edge proxy listens on {HOST}:{port}.\n"
        try:
            yield process, port, api
        finally:
            process.kill()
            api.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_answers_what_it_can_and_ends_within_two_seconds(
    command: tuple[subprocess.Popen[str], int, _Api], number: signal.Signals
) -> None:
    process, port, _ = command
    idle = http.client.HTTPConnection(HOST, port, timeout=10)
    idle.request("GET", "/api/orders")
    idle.getresponse().read()
    with ThreadPoolExecutor(2) as crowd:
        quick, slow = (crowd.submit(_status, port, f"/api/sleep/{seconds}") for seconds in (0.8, 5))
        time.sleep(0.4)
        started = time.monotonic()
        process.send_signal(number)
        assert idle.sock.recv(1) == b"", "it takes no more requests"
        assert process.poll() is None, "it waits for the others"
        assert process.wait(10) == 0
        took = time.monotonic() - started
        assert (quick.result(), slow.result()) == (200, None)
    idle.close()
    assert process.stdout
    assert process.stdout.read().splitlines() == [
        "The edge proxy is stopping.",
        "The edge proxy has stopped; requests cut off: 1.",
    ]
    assert took < ENDS_WITHIN


def test_an_idle_command_ends_at_once(command: tuple[subprocess.Popen[str], int, _Api]) -> None:
    process, port, _ = command
    with socket.create_connection((HOST, port), timeout=10) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200 ")
        started = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - started < ENDS_WITHIN / 2
        while idle.recv(65536):
            pass  # the connection has ended


def test_a_taken_port_is_reported(command: tuple[subprocess.Popen[str], int, _Api]) -> None:
    _, port, _ = command
    words = [sys.executable, "-m", "local.edge.proxy", "--port", str(port), "--aws-port", "9", "--api-id", "abc"]
    second = subprocess.run(  # noqa: S603
        words, env={**os.environ, PROOF_VARIABLE: "x"}, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 1
    assert f"cannot listen on {HOST}:{port}" in second.stderr
    assert "Traceback" not in second.stderr
