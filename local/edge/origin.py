"""What stands behind the edge: requests to the local AWS and the local Stripe, with the timeouts of CloudFront."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
)
from yarl import URL

from local.edge.answer import Answer, Headers

AT_ONCE = 10
"""Maximum number of concurrent calls. The local AWS starts one process for each concurrent call."""
CONNECTS_WITHIN = 10.0
RESPONDS_WITHIN = 30.0
"""Seconds from the start of a request to its response, and from one part of a response to the next."""
IDLE_TIMEOUT = 5.0

HOP_BY_HOP = frozenset(
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
    }
)
"""Headers of one connection (RFC 9110, 7.6.1), together with those that `Connection` names."""

_logger = logging.getLogger(__name__)


class Unanswered(Exception):
    """The origin has sent no usable response; `status` is for the viewer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def end_to_end(headers: Mapping[str, str]) -> Headers:
    """Return the headers without those of the connection they came by."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    return [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP | named]


def headers_of(response: ClientResponse) -> Headers:
    """Return the headers of a response that viewers receive."""
    return [pair for pair in end_to_end(response.headers) if pair[0].lower() != "server"]


class Origin:
    """Sends requests over connections that are kept open. Create it in the event loop that uses it."""

    def __init__(self) -> None:
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=IDLE_TIMEOUT),
            timeout=ClientTimeout(sock_connect=CONNECTS_WITHIN, sock_read=RESPONDS_WITHIN),
            cookie_jar=DummyCookieJar(),  # cookies belong to viewers
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            middlewares=(_send_writes_once,),
        )
        self._free_seats = asyncio.Semaphore(AT_ONCE)
        self.is_closing = False
        """Requests that are not sent yet are refused."""

    async def send(
        self, method: str, url: str, headers: Headers, body: StreamReader | bytes | None = None
    ) -> ClientResponse:
        """Send a request and return the response, of which the body is still to be read. Raises Unanswered."""
        with _unanswered(f"{method} {url}"):
            async with self._free_seats:
                if self.is_closing:
                    raise ClientConnectionError("the edge proxy is closing")
                async with asyncio.timeout(RESPONDS_WITHIN):
                    return await self._session.request(
                        method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
                    )

    async def get(self, url: str, headers: Headers) -> Answer:
        """Return the whole response to a GET request. Raises Unanswered."""
        response = await self.send("GET", url, headers)
        with _unanswered(f"GET {url}"):
            async with response:
                return Answer(response.status, headers_of(response), await response.read())

    async def close(self) -> None:
        await self._session.close()


async def _send_writes_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from repeating a write of which the response is lost. CloudFront repeats GET and HEAD only."""
    try:
        return await handler(request)
    except (ClientOSError, ServerDisconnectedError) as error:
        if request.method in {"GET", "HEAD"}:
            raise
        raise ClientConnectionError(str(error)) from error


@contextmanager
def _unanswered(call: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, OSError) as error:
        _logger.warning("%s is not answered: %r", call, error)
        is_late = isinstance(error, TimeoutError)
        raise Unanswered(HTTPStatus.GATEWAY_TIMEOUT if is_late else HTTPStatus.SERVICE_UNAVAILABLE) from error
