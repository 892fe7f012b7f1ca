"""A rush through the whole API on the local stack: many buyers order one ticket at once, through the edge proxy.

Every buyer behaves as the web client does: one order with an `Idempotency-Key`, repeated if the response asks for it or
is lost. After a refusal it reads the ticket at once, its own order of it, and the ticket every two seconds, until all
buyers know the outcome; in the first three seconds past the edge's cache. Buyers are signed in
beforehand. A run that has not exactly one winner raises an error and yields no figure.

The local AWS handles some tens of requests a second, so the times show how long the queue is and that it ends, not what
the rush takes on AWS.
"""

import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import jwt

from benchmarks.result import Result
from local.api_client import ApiUnreachable, Client, Response
from local.stack import LOCAL, LocalStack, temporary_stack
from shared.ids import new_id

BUYERS = 500
QUICK_BUYERS = 100
POLL_SECONDS = 2.0
"""How often the page of a refused buyer reads the ticket: `usePollWhileHeld` in web/src/pages/Buy.tsx."""
SKIPS_CACHE_SECONDS = 3.0
"""How long a page reads past the edge's cache after a refusal: `skipCache` in web/src/api/client.ts."""
RETRIES_IF_ASKED, RETRIES_WITHOUT_RESPONSE = 8, 2
"""As in web/src/api/errors.ts."""
TIMEOUT_SECONDS = 35.0
"""As in web/src/api/client.ts."""
LOST = "no response"


@dataclass(slots=True)
class Rush:
    """What buyers know, and all requests by route and status."""

    buyers: int
    gate: threading.Barrier = field(init=False)
    over: threading.Event = field(default_factory=threading.Event)
    known: list[tuple[float, int]] = field(default_factory=list)
    """When each buyer knew the outcome, on the monotonic clock, and the status of the response."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.gate = threading.Barrier(self.buyers, action=self._begin)

    def _begin(self) -> None:
        self.began = time.monotonic()

    def count(self, route: str, status: str) -> None:
        """Count a request."""
        with self.lock:
            self.requests[route, status] += 1

    def know(self, status: int) -> None:
        """Note that a buyer knows the outcome; the rush is over when all do."""
        with self.lock:
            self.known.append((time.monotonic(), status))
            if len(self.known) == self.buyers:
                self.over.set()


def measure(*, quick: bool) -> list[Result]:
    """The times until the winner and until the last loser know, and the requests by status."""
    buyers = QUICK_BUYERS if quick else BUYERS
    with temporary_stack("rush", order_window_seconds=300, logs=LOCAL / "logs" / "rush") as stack:
        seller = stack.api.sign_up_or_in("seller@example.com", "correct horse battery")
        clients = _signed_in(stack, seller, buyers)
        _rush(_on_sale(seller, clients[-1]), clients[:10])  # starts the processes of the local AWS
        rush = _rush(_on_sale(seller, clients[-1]), clients)
    return results_of(rush)


def results_of(rush: Rush) -> list[Result]:
    """The figures of a rush. Raises RuntimeError unless it has exactly one winner and all others were refused."""
    outcomes = Counter(status for _, status in rush.known)
    if outcomes != {HTTPStatus.CREATED: 1, HTTPStatus.CONFLICT: rush.buyers - 1}:
        raise RuntimeError(f"{rush.buyers} buyers for one ticket: {dict(outcomes)}")
    [winner] = (at for at, status in rush.known if status == HTTPStatus.CREATED)
    loser = max(at for at, status in rush.known if status == HTTPStatus.CONFLICT)
    what = f"rush, {rush.buyers} buyers of one ticket"
    return [
        Result(what=f"{what}: until the winner knows", figure=winner - rush.began, unit="s"),
        Result(what=f"{what}: until the last loser knows", figure=loser - rush.began, unit="s"),
        *(
            Result(what=f"{what}: {route}, {status}", figure=number, unit="requests")
            for (route, status), number in sorted(rush.requests.items())
        ),
    ]


def _signed_in(stack: LocalStack, user: Client, count: int) -> list[Client]:
    """Clients of as many users, who are copies of this one: a sign-up hashes a password, for a reason slowly."""
    functions = stack.aws.functions().list_functions()["Functions"]
    environments: list[dict[str, str]] = [each.get("Environment", {}).get("Variables", {}) for each in functions]
    auth = next(each for each in environments if "SIGN_UPS_PER_NETWORK" in each)
    key = stack.aws.secrets().get_secret_value(SecretId=auth["JWT_SECRET_ARN"])["SecretString"]
    token = user.token or ""
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    table = stack.aws.dynamodb()
    original = table.get_item(TableName=auth["TABLE_NAME"], Key={"pk": {"S": f"user#{claims['sub']}"}})["Item"]
    people = [(new_id(), f"buyer-{number}@example.com") for number in range(count)]
    for ident, email in people:
        copied = {"pk": {"S": f"user#{ident}"}, "id": {"S": ident}, "email": {"S": email}}
        table.put_item(TableName=auth["TABLE_NAME"], Item={**original, **copied})
    return [
        replace(
            stack.api,
            token=jwt.encode({**claims, "sub": ident}, key, algorithm=header["alg"], headers={"kid": header["kid"]}),
            email=email,
            timeout=TIMEOUT_SECONDS,
        )
        for ident, email in people
    ]


def _on_sale(seller: Client, reader: Client) -> str:
    """A new ticket that Orders knows."""
    ticket = str(seller.post("/api/tickets", {"title": "Row 1", "price": "10.00"}).expect(HTTPStatus.CREATED)["id"])
    # Tried with another price, so that no order is placed.
    while reader.post("/api/orders", {"ticketID": ticket, "price": "9.99"}).code != "price_changed":
        time.sleep(0.1)
    return ticket


def _rush(ticket: str, buyers: Sequence[Client]) -> Rush:
    rush = Rush(len(buyers))
    with ThreadPoolExecutor(len(buyers)) as threads:
        list(threads.map(lambda buyer: _buy(rush, buyer, ticket), buyers))
    return rush


def _buy(rush: Rush, buyer: Client, ticket: str) -> None:
    body = {"ticketID": ticket, "price": "10.00"}
    key = secrets.token_hex(16)
    rush.gate.wait()
    for attempt in itertools.count():
        answer = _send(rush, buyer, "POST /api/orders", "/api/orders", body, headers={"Idempotency-Key": key})
        wait = _retry_after(answer, attempt)
        if wait is None:
            break
        time.sleep(wait)
    rush.know(answer.status if answer else 0)
    if answer and answer.status == HTTPStatus.CONFLICT:
        _follow(rush, buyer, ticket)


def _follow(rush: Rush, buyer: Client, ticket: str) -> None:
    """Read what the page of a refused buyer shows: the ticket, and once it is held, the buyer's own order of it."""
    skips_cache_until = time.monotonic() + SKIPS_CACHE_SECONDS
    has_asked = False
    while True:
        headers = {"Cache-Control": "no-cache"} if time.monotonic() < skips_cache_until else {}
        answer = _send(rush, buyer, "GET /api/tickets/{id}", f"/api/tickets/{ticket}", headers=headers)
        if answer and answer.status == HTTPStatus.OK and answer.body["status"] != "available" and not has_asked:
            has_asked = True
            _send(rush, buyer, "GET /api/orders?ticketID=", f"/api/orders?ticketID={ticket}")
        if rush.over.wait(POLL_SECONDS):
            return


def _retry_after(answer: Response | None, attempt: int) -> float | None:
    """Seconds until the client repeats a request, or None: `shouldRetry` and `retryDelay` in web/src/api/errors.ts."""
    if answer and answer.headers.get("retry-after", "").isdecimal():
        asks = answer.status != HTTPStatus.TOO_MANY_REQUESTS and attempt < RETRIES_IF_ASKED
        return float(answer.headers["retry-after"]) if asks else None
    is_final = answer is not None and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return None if is_final or attempt >= RETRIES_WITHOUT_RESPONSE else min(0.4 * 2**attempt, 4.0)


def _send(
    rush: Rush, buyer: Client, route: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
) -> Response | None:
    """Send a request and count it. Returns None if there is no response."""
    try:
        answer = buyer.call(route.partition(" ")[0], path, body, headers=headers)
    except ApiUnreachable:
        rush.count(route, LOST)
        return None
    rush.count(route, str(answer.status))
    return answer
