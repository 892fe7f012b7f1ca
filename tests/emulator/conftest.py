"""A local Stripe without sockets, on a clock controlled by the test."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from stripe_emulator import Reply, StripeAccount, WebhookEndpoint
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY, random_ids

Json = dict[str, Any]

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
            on_request=on_request,
        )

    def call(
        self, method: str, path: str, *, key: str = SECRET_KEY, idempotency_key: str | None = None, **params: Any
    ) -> Reply:
        """Call the account. Nested names are given as in the form: `**{"metadata[orderID]": "o1"}`."""
        headers = {"Authorization": f"Bearer {key}"}
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

    def events(self) -> list[str]:
        """The types of all events so far, oldest first."""
        return [event["type"] for event in self.get("/v1/events", limit=100)["data"]][::-1]


@pytest.fixture
def core() -> Iterator[Core]:
    core = Core()
    yield core
    core.account.close()
