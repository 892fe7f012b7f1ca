"""`python -m local.edge.proxy`: the single address of the local Admit One; it does what CloudFront does on AWS.

Forwards `/api/*` to the API at the local AWS and serves the web client for every other path, each through CloudFront's
own function (`cdk/edge_functions/`). Caches public tickets for a second. Rejects what API Gateway would reject before
any function runs (a body over 10 MB), because the local AWS does not. Forwards `/local-stripe/*` to the local Stripe,
if there is one, and shows the mailbox at `/mail`.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import StreamReader, web
from multidict import CIMultiDict, CIMultiDictProxy

from local.edge import PROOF_VARIABLE
from local.edge.answer import Answer, Headers
from local.edge.cache import Cache, is_cached_path, key_of, seconds_of
from local.edge.functions import EdgeFunction
from local.edge.mail_pages import MailPages
from local.edge.origin import Origin, Unanswered, end_to_end, headers_of
from local.edge.web_client import WebClient
from local.mailbox.folder import MailFolder
from local.supervision.ports import HOST

BODY_LIMIT = 10 * 1024 * 1024
"""Maximum body in bytes; API Gateway's payload limit."""
LINE_LIMIT = 65_536
"""Maximum length of a header or of the request line, in bytes."""
BACKLOG = 512
IDLE_TIMEOUT = 65.0
FINISHES_WITHIN = 1.2
"""Seconds that accepted requests have to finish once the proxy accepts no more."""
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

# Only this proxy may send the headers that name the caller; the others belong to the connection with the viewer.
_DROPPED_FROM_REQUEST = frozenset({"content-length", "expect", "forwarded", "host", "x-real-ip"})

PROOF_HEADER = "x-admit-one-edge"

LOCAL_STRIPE = "/local-stripe"
# The session cookie is not forwarded to Stripe.
_SENT_TO_STRIPE = frozenset({"accept", "content-type", "idempotency-key"})


class BadBody(Exception):
    """The body is not forwarded."""


class BodyTooLarge(BadBody):
    pass


def headers_for_api(headers: CIMultiDictProxy[str], caller: str) -> Headers:
    """The headers that CloudFront would forward, with the observed address of the caller, not a claimed one."""
    kept = [
        (name, value)
        for name, value in end_to_end(headers)
        if name.lower() not in _DROPPED_FROM_REQUEST | {PROOF_HEADER}
        and not name.lower().startswith(("x-forwarded-", "x-ministack-"))
    ]
    return [*kept, ("X-Forwarded-For", caller), ("X-Forwarded-Proto", "http")]


def _not_stored(headers: Headers) -> Headers:
    """The headers with the `Cache-Control` that CloudFront sends to viewers of the cached paths."""
    return [pair for pair in headers if pair[0].lower() != "cache-control"] + [("Cache-Control", "no-store")]


class EdgeProxy:
    """Listens on the loopback address from `start` to `stop`. Create it in the event loop in which it runs."""

    def __init__(
        self,
        *,
        aws_port: int,
        api_id: str,
        proof: str,
        web_client: WebClient,
        stripe_port: int | None = None,
        mails: MailFolder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api_url = f"http://{HOST}:{aws_port}/_aws/execute-api/{api_id}/$default"
        self._stripe_url = f"http://{HOST}:{stripe_port}" if stripe_port else None
        self._proof = proof
        self._web_client = web_client
        self._mail_pages = MailPages(mails) if mails else None
        self._api_request = EdgeFunction("api_request")
        self._page_request = EdgeFunction("page_request")
        self._cache = Cache(clock)
        self._origin = Origin()
        self._answering: set[asyncio.Task[Any]] = set()
        self._server = web.Server(
            self._answer,
            access_log_format='%t "%r" %s %b %Tf',
            auto_decompress=False,
            keepalive_timeout=IDLE_TIMEOUT,
            lingering_time=1.0,
            max_field_size=LINE_LIMIT,
            max_line_size=LINE_LIMIT,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)

    async def start(self, port: int) -> int:
        """Accept requests, and return the port; 0 selects a free one. Raises OSError if the port is taken."""
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, HOST, port, backlog=BACKLOG)
        await self._site.start()
        return self._site.port

    async def stop(self) -> int:
        """Accept no more requests and wait for those in flight. Return how many are left after FINISHES_WITHIN seconds.

        Requests that wait for a call to the API are refused.
        """
        self._origin.is_closing = True
        await self._site.stop()
        self._server.pre_shutdown()  # closes connections without a request
        left = (await asyncio.wait(self._answering, timeout=FINISHES_WITHIN))[1] if self._answering else ()
        await self._runner.cleanup()
        await self.close()
        return len(left)

    async def close(self) -> None:
        """Release what a proxy has that does not listen."""
        await self._origin.close()
        self._api_request.close()
        self._page_request.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if task := asyncio.current_task():  # it includes sending the response
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        path = request.raw_path.partition("?")[0]
        try:
            if request.method not in METHODS:
                return _error(HTTPStatus.NOT_IMPLEMENTED)
            if path == "/api" or path.startswith("/api/"):
                return await self._forward_to_api(request, path)
            if path.startswith(f"{LOCAL_STRIPE}/") and self._stripe_url:
                headers = [pair for pair in request.headers.items() if pair[0].lower() in _SENT_TO_STRIPE]
                url = self._stripe_url + request.raw_path.removeprefix(LOCAL_STRIPE)
                return await self._forward(request, url, headers, await _body(request))
        except Unanswered as error:
            return _error(error.status)
        except BodyTooLarge:
            return _error(HTTPStatus.CONTENT_TOO_LARGE, "Request Too Long", close=True)
        except (BadBody, web.RequestPayloadError):
            return _error(HTTPStatus.BAD_REQUEST, close=True)
        if request.method not in {"GET", "HEAD"}:
            return _error(HTTPStatus.NOT_FOUND)
        if self._mail_pages and (mail_page := self._mail_pages.answer(path)):
            return _whole(mail_page)
        uri, _ = self._through(self._page_request, request, path)
        return _whole(self._web_client.page(uri).compressed(request.headers.get("Accept-Encoding", "")))

    async def _forward_to_api(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        body = await _body(request)
        _, headers = self._through(self._api_request, request, path)
        url, sent = self._api_url + request.raw_path, [*headers, (PROOF_HEADER, self._proof)]
        is_cached = is_cached_path(path)
        if not is_cached or request.method != "GET" or body is not None:
            return await self._forward(request, url, sent, body, is_stored=not is_cached)
        answer = await self._cache.answer(key_of(request.raw_path, headers), lambda: self._origin.get(url, sent))
        if seconds_of(answer):  # CloudFront compresses only what it may cache
            answer = answer.compressed(request.headers.get("Accept-Encoding", ""))
        return _whole(Answer(answer.status, _not_stored(answer.headers), answer.body))

    def _through(self, function: EdgeFunction, request: web.BaseRequest, path: str) -> tuple[str, Headers]:
        viewer = request.remote or ""
        headers = [*headers_for_api(request.headers, viewer), ("Host", request.headers.get("Host", ""))]
        return function(method=request.method, uri=path, headers=headers, viewer=viewer)

    async def _forward(
        self,
        request: web.BaseRequest,
        url: str,
        headers: Headers,
        body: StreamReader | bytes | None,
        *,
        is_stored: bool = True,
    ) -> web.StreamResponse:
        """Pass the response on while it arrives."""
        if isinstance(body, StreamReader):
            headers = [*headers, ("Content-Length", str(request.content_length))]
        async with await self._origin.send(request.method, url, headers, body) as response:
            kept = headers_of(response)
            answer = web.StreamResponse(
                status=response.status,
                reason=response.reason,
                headers=CIMultiDict(kept if is_stored else _not_stored(kept)),
            )
            with suppress(ConnectionError):  # the viewer has gone; failures of the origin are ClientErrors
                await answer.prepare(request)
                async for part in response.content.iter_any():
                    await answer.write(part)
            return answer


async def _body(request: web.BaseRequest) -> StreamReader | bytes | None:
    """Return the body, to be read while it arrives if its length is known. Raises BadBody or BodyTooLarge.

    A chunked body has to be read to see whether it is too large, and the local Stripe takes none.
    """
    if not request.body_exists:
        return None
    length = request.content_length
    if length is not None and length > BODY_LIMIT:
        raise BodyTooLarge
    if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise BadBody
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if length is not None:
        return request.content
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > BODY_LIMIT:
            raise BodyTooLarge
    return bytes(body)


def _whole(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=CIMultiDict(answer.headers), body=answer.body)


def _error(status: HTTPStatus, message: str | None = None, *, close: bool = False) -> web.Response:
    """Answer with an error in API Gateway's form."""
    body = json.dumps({"message": message or status.phrase}).encode()
    response = _whole(Answer(status, [("Content-Type", "application/json")], body))
    if close:
        response.force_close()
    return response


async def _serve(args: argparse.Namespace) -> int:
    proxy = EdgeProxy(
        aws_port=args.aws_port,
        api_id=args.api_id,
        proof=os.environ[PROOF_VARIABLE],
        web_client=WebClient.built(),
        stripe_port=args.stripe_port,
        mails=MailFolder(args.mails) if args.mails else None,
    )
    try:
        port = await proxy.start(args.port)
    except OSError as error:
        await proxy.close()
        print(f"The edge proxy cannot listen on {HOST}:{args.port}: {error}", file=sys.stderr)
        return 1
    is_stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, is_stopping.set)
    print(f"The edge proxy listens on {HOST}:{port}.", flush=True)
    await is_stopping.wait()
    print("The edge proxy is stopping.", flush=True)
    left = await proxy.stop()
    print(f"The edge proxy has stopped; requests cut off: {left}.", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.edge.proxy", description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--aws-port", type=int, default=4566)
    parser.add_argument("--api-id", required=True)
    parser.add_argument("--stripe-port", type=int, help="port of the local Stripe, if there is one")
    parser.add_argument("--mails", type=Path, help="folder of the mailbox, if there is one")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    return asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
