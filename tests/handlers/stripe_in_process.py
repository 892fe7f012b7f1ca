"""The local Stripe in the test's own process, under the real SDK: no sockets, and faults on demand."""

import copy
import json
import time
from collections.abc import Mapping
from typing import Any

import stripe

from local.stripe import StripeAccount, WebhookEndpoint
from local.stripe.account import SECRET_KEY
from local.stripe.webhooks import signature_header
from tests.handlers.world import Answer, Clock, World

WEBHOOK_SECRET = "whsec_test"

type Saved = dict[str, dict[str, dict[str, Any]]]
"""Rows by table and id."""


class Stripe(stripe.HTTPClient):
    """What the SDK sends goes to a StripeAccount on the test's clock.

    `fail_next` loses a call before it is made, `lose_next_answer` after it has had its effect.
    """

    name = "in-process"

    def __init__(self, clock: Clock, *, secret_arn: str) -> None:
        super().__init__()
        self.account = StripeAccount(
            clock=lambda: clock.now().timestamp(), webhook=WebhookEndpoint("http://unused.invalid", WEBHOOK_SECRET)
        )
        self.secret_arn = secret_arn
        self.calls: list[str] = []
        self.fail_next: str | None = None
        self.lose_next_answer: str | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        path = url.removeprefix("https://api.stripe.com")
        act = path.partition("?")[0].rpartition("/")[2] if method == "post" else "get"
        self.calls.append(f"{method} {path.partition('?')[0]}")
        if self.fail_next == act:
            self.fail_next = None
            raise stripe.APIConnectionError("timed out")  # type: ignore[no-untyped-call]
        reply = self.account.handle(method.upper(), path, headers, post_data or b"")
        if self.lose_next_answer == act:
            self.lose_next_answer = None
            raise stripe.APIConnectionError("timed out")  # type: ignore[no-untyped-call]
        return json.dumps(reply.body), reply.status, {name.lower(): value for name, value in reply.headers.items()}

    def close(self) -> None:
        """Nothing is open."""

    def intents(self) -> list[dict[str, Any]]:
        """All PaymentIntents, newest first."""
        found: list[dict[str, Any]] = self.api("GET", "/v1/payment_intents?limit=100")["data"]
        return found

    def api(self, method: str, path: str, form: str = "") -> dict[str, Any]:
        """Something done at Stripe by hand."""
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        reply = self.account.handle(method, path, headers, form)
        assert reply.status == 200, reply.body
        return dict(reply.body)

    def save(self) -> Saved:
        """All that Stripe knows now, for `restore`."""
        return copy.deepcopy(self.account._tables._tables)

    def restore(self, saved: Saved) -> None:
        """Have a new account know what another one knew."""
        self.account._tables._tables = copy.deepcopy(saved)

    def webhooks(self, world: World, *, only: str | None = None) -> list[Answer]:
        """Deliver the pending webhooks, signed now, as Stripe does."""
        answers = []
        for pending in self.account.pending_webhooks():
            told = json.loads(pending.body)
            if only is None or told["type"] == only:
                answers.append(deliver_webhook(world, told))
            self.account.webhook_answered(pending.event_id, 200)
        return answers


def deliver_webhook(
    world: World, told: object, *, secret: str = WEBHOOK_SECRET, age: int = 0, raw: str | None = None
) -> Answer:
    """One delivery of a webhook, signed `age` seconds ago."""
    body = raw if raw is not None else json.dumps(told)
    signature = signature_header(body.encode(), secret, int(time.time()) - age)
    return world.call(
        "POST", "/api/payments/webhook", raw=body, headers={"Stripe-Signature": signature}, function="webhook"
    )
