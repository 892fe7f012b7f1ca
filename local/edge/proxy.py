"""`python -m local.edge.proxy`: the single address of the local Admit One; it does what CloudFront does on AWS.

Forwards `/api/*` to the API at the local AWS and serves the web client for every other path, each through CloudFront's
own function (`cdk/edge_functions/`). Caches public tickets for a second. Rejects what API Gateway would reject before
any function runs (a body over 10 MB), because the local AWS does not. Forwards `/local-stripe/*` to the local Stripe,
if there is one.
"""

import argparse
import http.client
import http.server
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from email.message import Message
from http import HTTPStatus
from typing import Any

from local.edge.cache import Answer, Cache, is_cached_path, key_of
from local.edge.functions import EdgeFunction, Headers
from local.edge.web_client import WebClient
from local.supervision.ports import HOST

BODY_LIMIT = 10 * 1024 * 1024
"""Maximum body in bytes; API Gateway's payload limit."""
AT_ONCE = 10
"""Maximum number of concurrent calls upstream. The local AWS starts one process for each concurrent call."""
UPSTREAM_TIMEOUT = 35.0
FINISHES_WITHIN = 2.5
"""Seconds that calls upstream have to finish once the proxy accepts no more requests."""
IDLE_TIMEOUT = 65.0

# Hop-by-hop headers (RFC 9110, 7.6.1), and the headers that name the caller: only this proxy may set those.
_DROPPED_FROM_REQUEST = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "host",
        "content-length",
        "forwarded",
        "x-real-ip",
    }
)
_DROPPED_FROM_ANSWER = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server"})

PROOF_HEADER = "x-admit-one-edge"
PROOF_VARIABLE = "EDGE_PROOF"
"""The environment variable with the edge's secret for the API: arguments are visible to every user of the machine."""

LOCAL_STRIPE = "/local-stripe"
# The session cookie is not forwarded to Stripe.
_SENT_TO_STRIPE = frozenset({"accept", "content-type", "idempotency-key"})


class BodyTooLarge(Exception):
    pass


class BadBody(Exception):
    pass


def headers_for_api(headers: Message, caller: str) -> list[tuple[str, str]]:
    """The headers that CloudFront would forward, with the observed address of the caller, not a claimed one."""
    named_by_connection = {name.strip().lower() for name in (headers.get("Connection") or "").split(",")}
    kept = [
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _DROPPED_FROM_REQUEST | named_by_connection | {PROOF_HEADER}
        and not name.lower().startswith(("x-forwarded-", "x-ministack-"))
        and "\n" not in value  # a folded header (RFC 9112, 5.2)
    ]
    return [*kept, ("X-Forwarded-For", caller), ("X-Forwarded-Proto", "http")]


def _not_stored(headers: Headers) -> Headers:
    """The headers with the `Cache-Control` that CloudFront sends to viewers of the cached paths."""
    return [pair for pair in headers if pair[0].lower() != "cache-control"] + [("Cache-Control", "no-store")]


class EdgeProxy(http.server.ThreadingHTTPServer):
    """Listens on the loopback address at once; `serve_forever` answers. Raises OSError if the port is taken."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, *, aws_port: int, api_id: str, proof: str, web: WebClient, stripe_port: int | None = None
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.aws_port = aws_port
        self.stripe_port = stripe_port
        self.web = web
        self.proof = proof
        self.api_request = EdgeFunction("api_request")
        self.page_request = EdgeFunction("page_request")
        self.cache = Cache()
        self.prefix = f"/_aws/execute-api/{api_id}/$default"
        self.free_seats = threading.BoundedSemaphore(AT_ONCE)
        self.is_closing = False

    def close(self) -> None:
        """Accept no more requests; `serve_forever` returns."""
        self.is_closing = True
        threading.Thread(target=self.shutdown).start()  # it waits for `serve_forever`

    def finish(self) -> None:
        """Wait until all accepted requests are answered, at most FINISHES_WITHIN seconds."""
        deadline = time.monotonic() + FINISHES_WITHIN
        for _ in range(AT_ONCE):
            self.free_seats.acquire(timeout=max(0.0, deadline - time.monotonic()))
        time.sleep(0.1)  # the last answers are still being written

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "AdmitOneLocal"
    sys_version = ""
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True
    server: EdgeProxy

    def _serve(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api" or path.startswith("/api/"):
            self._pass_on(self.server.aws_port, self.server.prefix + self.path, self._headers_for_api())
        elif path.startswith(f"{LOCAL_STRIPE}/") and self.server.stripe_port:
            self._pass_on(self.server.stripe_port, self.path.removeprefix(LOCAL_STRIPE), self._headers_for_stripe())
        elif self.command in {"GET", "HEAD"}:
            self._discard_body()
            uri, _ = self._through(self.server.page_request, path)
            page = self.server.web.page(uri, self.headers.get("Accept-Encoding") or "")
            self._answer(page.status, page.headers, page.body)
        else:
            self._discard_body()
            self._send_error(HTTPStatus.NOT_FOUND, "Not Found")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def handle_expect_100(self) -> bool:
        """Reject a body that is announced as too large before the caller sends it."""
        if (self._announced_length() or 0) > BODY_LIMIT:
            self.close_connection = True
            self._send_error(HTTPStatus.CONTENT_TOO_LARGE, "Request Too Long")
            return False
        return super().handle_expect_100()

    def _headers_for_api(self) -> list[tuple[str, str]]:
        path = self.path.partition("?")[0]
        _, headers = self._through(self.server.api_request, path)
        return [*headers, (PROOF_HEADER, self.server.proof)]

    def _through(self, function: EdgeFunction, path: str) -> tuple[str, Headers]:
        viewer = self.client_address[0]
        headers = [*headers_for_api(self.headers, viewer), ("Host", self.headers.get("Host") or "")]
        return function(method=self.command, uri=path, headers=headers, viewer=viewer)

    def _headers_for_stripe(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.headers.items() if name.lower() in _SENT_TO_STRIPE]

    def _pass_on(self, port: int, target: str, headers: list[tuple[str, str]]) -> None:
        try:
            body = self._body()
        except BodyTooLarge:
            self._refuse_body(HTTPStatus.CONTENT_TOO_LARGE, "Request Too Long")
            return
        except BadBody:
            self._refuse_body(HTTPStatus.BAD_REQUEST, "Bad Request")
            return
        if not re.fullmatch(r"[!-~]+", self.path):
            self._send_error(HTTPStatus.BAD_REQUEST, "Bad Request")
            return
        is_cached = is_cached_path(self.path.partition("?")[0])
        try:
            if is_cached and self.command == "GET" and body is None:
                key = key_of(self.path, headers)
                answer = self.server.cache.answer(key, lambda: self._ask(port, target, headers, None))
            else:
                answer = self._ask(port, target, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self.log_error("%s is not answered: %r", self.path, error)
            self._send_error(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
            return
        self._answer(answer.status, _not_stored(answer.headers) if is_cached else answer.headers, answer.body)

    def _ask(self, port: int, target: str, headers: Headers, body: bytes | None) -> Answer:
        with self.server.free_seats:
            if self.server.is_closing:
                raise ConnectionRefusedError("the edge proxy is closing")
            upstream = http.client.HTTPConnection(HOST, port, timeout=UPSTREAM_TIMEOUT)
            try:
                upstream.putrequest(self.command, target, skip_accept_encoding=True)
                for name, value in headers:
                    upstream.putheader(name, value)
                if body is not None:
                    upstream.putheader("Content-Length", str(len(body)))
                upstream.endheaders(body)
                response = upstream.getresponse()
                kept = [
                    (name, value) for name, value in response.getheaders() if name.lower() not in _DROPPED_FROM_ANSWER
                ]
                return Answer(response.status, kept, response.read())
            finally:
                upstream.close()

    def _announced_length(self) -> int | None:
        text = self.headers.get("Content-Length")
        return int(text) if text and text.isdecimal() and len(text) < 19 else None

    def _body(self) -> bytes | None:
        """Read the body. Raises BodyTooLarge or BadBody, with the rest of the body unread."""
        coding = (self.headers.get("Transfer-Encoding") or "").strip().lower()
        lengths = self.headers.get_all("Content-Length") or []
        if coding:
            if coding != "chunked" or lengths:
                raise BadBody
            return self._chunked_body()
        if not lengths:
            return None
        length = self._announced_length()
        if length is None or len(lengths) > 1:
            raise BadBody
        if length > BODY_LIMIT:
            raise BodyTooLarge
        body = self.rfile.read(length)
        if len(body) < length:
            raise BadBody
        return body

    def _chunked_body(self) -> bytes:
        chunks: list[bytes] = []
        total = 0
        while size := self._chunk_size():
            total += size
            if total > BODY_LIMIT:
                raise BodyTooLarge
            chunk = self.rfile.read(size)
            if len(chunk) < size or self.rfile.readline(3) != b"\r\n":
                raise BadBody
            chunks.append(chunk)
        while self.rfile.readline(65537) not in {b"\r\n", b"\n", b""}:
            pass  # trailers are not needed
        return b"".join(chunks)

    def _chunk_size(self) -> int:
        text = self.rfile.readline(1024).partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", text):
            raise BadBody
        return int(text, 16)

    def _discard_body(self) -> None:
        try:
            self._body()
        except (BodyTooLarge, BadBody):
            self.close_connection = True

    def _refuse_body(self, status: HTTPStatus, message: str) -> None:
        self.close_connection = True
        self._send_error(status, message)
        # Closing with unread bytes resets the connection, and the caller may lose the answer: drain it for up to 2 s.
        deadline = time.monotonic() + 2
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.5)
            while time.monotonic() < deadline and self.connection.recv(65536):
                pass

    def _send_error(self, status: HTTPStatus, message: str) -> None:
        """Answer with an error in API Gateway's form."""
        self._answer(status, [("Content-Type", "application/json")], json.dumps({"message": message}).encode())

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        names = {name.lower() for name, _ in headers}
        if "date" not in names:
            self.send_header("Date", self.date_time_string())
        for name, value in headers:
            self.send_header(name, value)
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != HTTPStatus.NO_CONTENT:
            self.wfile.write(body)
        self.log_request(status, len(body))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.edge.proxy", description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--aws-port", type=int, default=4566)
    parser.add_argument("--api-id", required=True)
    parser.add_argument("--stripe-port", type=int, help="port of the local Stripe, if there is one")
    args = parser.parse_args()
    try:
        server = EdgeProxy(
            args.port,
            aws_port=args.aws_port,
            api_id=args.api_id,
            proof=os.environ[PROOF_VARIABLE],
            web=WebClient.built(),
            stripe_port=args.stripe_port,
        )
    except OSError as error:
        print(f"The edge proxy cannot listen on {HOST}:{args.port}: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: server.close())
    with suppress(KeyboardInterrupt), server:
        server.serve_forever(poll_interval=0.1)
        server.socket.close()
        server.finish()
        os._exit(0)  # skips waiting for the edge functions' V8, which may not end
    return 0


if __name__ == "__main__":
    sys.exit(main())
