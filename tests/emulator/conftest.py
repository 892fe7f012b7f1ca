"""A local Stripe: without sockets on a clock controlled by the test, and as a server for the real `stripe` SDK."""

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import stripe

from stripe_emulator import Reply, StripeAccount, WebhookEndpoint
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY, random_ids
from stripe_emulator.server import StripeServer

Json = dict[str, Any]

SECRET = "whsec_test"

NEW: Json = {
    "amount": 1000,
    "currency": "usd",
    "capture_method": "manual",
    "allowed_payment_method_types[]": "card",
}


class Core:
    """An account with its clock, and shortcuts for calling it."""

    def __init__(
        self, state: Path | None = None, *, seed: int = 7, on_request: Callable[[str, str], None] | None = None
    ) -> None:
        self.now = 1_800_000_000.0
        self.account = StripeAccount(
            clock=lambda: self.now,
            ids=random_ids(random.Random(seed)),  # noqa: S311 - ids, no secrets
            state=state,
            webhook=WebhookEndpoint("http://127.0.0.1:9/hook", "whsec_test"),
            connect_webhook=WebhookEndpoint("http://127.0.0.1:9/connect", "whsec_connect"),
            on_request=on_request,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str = SECRET_KEY,
        idempotency_key: str | None = None,
        acting_for: str | None = None,
        **params: Any,
    ) -> Reply:
        """Call the account, `acting_for` a connected one if named.

        Nested names are given as in the form: `**{"metadata[orderID]": "o1"}`.
        """
        headers = {"Authorization": f"Bearer {key}"}
        if acting_for is not None:
            headers["Stripe-Account"] = acting_for
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        form = urlencode(params)
        if method == "GET" and form:
            return self.account.handle(method, f"{path}?{form}", headers)
        return self.account.handle(method, path, headers, form)

    def post(self, path: str, **params: Any) -> Json:
        reply = self.call("POST", path, **params)
        assert reply.status == 200, reply.body
        return reply.body

    def get(self, path: str, **params: Any) -> Json:
        reply = self.call("GET", path, **params)
        assert reply.status == 200, reply.body
        return reply.body

    def browser(self, method: str, path: str, **params: Any) -> Reply:
        return self.call(method, path, key=PUBLISHABLE_KEY, **params)

    def intent(self, status: str = "requires_payment_method", **params: Any) -> Json:
        """An intent of $10.00 with manual capture, brought to `status`."""
        intent = self.post("/v1/payment_intents", **(NEW | params))
        path = f"/v1/payment_intents/{intent['id']}"
        match status:
            case "requires_payment_method":
                return intent
            case "requires_confirmation":
                return self.post("/v1/payment_intents", **NEW, payment_method="pm_card_visa")
            case "requires_action":
                return self.post(f"{path}/confirm", payment_method="pm_card_threeDSecure2Required")
            case "canceled":
                return self.post(f"{path}/cancel")
        intent = self.post(f"{path}/confirm", payment_method="pm_card_visa")
        return self.post(f"{path}/capture") if status == "succeeded" else intent

    def seller(self, status: str = "ready") -> str:
        """A connected account that is to receive transfers, brought to `status`."""
        account: str = self.post(
            "/v1/accounts",
            **{
                "capabilities[transfers][requested]": "true",
                "controller[stripe_dashboard][type]": "express",
                "metadata[userID]": "u1",
            },
        )["id"]
        if status != "new":
            self.post(f"/local/accounts/{account}", status=status)
        return account

    def sale(self, amount: int = 1000, card: str = "pm_card_visa") -> str:
        """A captured charge."""
        intent = self.post("/v1/payment_intents", **(NEW | {"amount": amount, "capture_method": "automatic"}))
        paid = self.post(f"/v1/payment_intents/{intent['id']}/confirm", payment_method=card)
        return str(paid["latest_charge"])

    def funds(self, account: str | None = None) -> tuple[int, int]:
        """The available and the pending balance in dollars' cents, of the platform or of a connected account."""
        balance = self.get("/v1/balance", acting_for=account)
        return balance["available"][0]["amount"], balance["pending"][0]["amount"]

    def events(self) -> list[str]:
        """The types of all events so far, oldest first."""
        return [event["type"] for event in self.get("/v1/events", limit=100)["data"]][::-1]


class Receiver:
    """A webhook endpoint that answers with `statuses` in turn, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: list[tuple[bytes, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.received]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[StripeServer]:
    server = StripeServer(
        lambda url: StripeAccount(
            state=tmp_path / "stripe.json", webhook=WebhookEndpoint(receiver.url, SECRET), public_url=url
        ),
        port=0,
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sdk(server: StripeServer) -> stripe.StripeClient:
    return client(server, SECRET_KEY)


def client(server: StripeServer, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": server.url}, max_network_retries=0)


def request(
    server: StripeServer, method: str, path: str, headers: dict[str, str] | None = None, **form: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=5)
    try:
        connection.request(method, path, urlencode(form), headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def core() -> Iterator[Core]:
    core = Core()
    yield core
    core.account.close()
