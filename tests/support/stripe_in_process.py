"""The local Stripe in the test's own process, behind the real SDK: no sockets, and fault injection on demand."""

import copy
import json
import time
from collections.abc import Mapping
from typing import Any, Self

import stripe

from stripe_emulator import StripeAccount, WebhookEndpoint
from stripe_emulator.account import SECRET_KEY
from stripe_emulator.webhooks import signature_header
from tests.support.fake_clock import FakeClock
from tests.support.faults import RESPONSE_LOST, UNREACHABLE, FaultKind
from tests.support.world import Response, World

WEBHOOK_SECRET = "whsec_test"
CONNECT_WEBHOOK_SECRET = "whsec_connect"

type Saved = dict[str, dict[str, dict[str, Any]]]
"""The account's rows by table and id."""


class Stripe(stripe.HTTPClient):
    """Transport of the SDK to a StripeAccount on the test's clock.

    `inject` makes one call UNREACHABLE or its RESPONSE_LOST. `timeout_seconds` is what the last caller asked for.
    """

    name = "in-process"

    def __init__(self, clock: FakeClock, *, secret_arn: str, payout_secret_arn: str) -> None:
        super().__init__()
        self.account = StripeAccount(
            clock=lambda: clock.now().timestamp(),
            webhook=WebhookEndpoint("http://unused.invalid", WEBHOOK_SECRET),
            connect_webhook=WebhookEndpoint("http://unused.invalid", CONNECT_WEBHOOK_SECRET),
        )
        self.secret_arn = secret_arn
        self.payout_secret_arn = payout_secret_arn
        self.calls: list[str] = []
        self.seconds_per_call = 0.0
        self.timeout_seconds = 0.0
        self._clock = clock
        self._faults: list[tuple[FaultKind, str]] = []

    def with_timeout(self, timeout_seconds: float) -> Self:
        """Stands for `stripe_gateway.http_client`."""
        self.timeout_seconds = timeout_seconds
        return self

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
        self._clock.advance(seconds=self.seconds_per_call)
        if self._meets(UNREACHABLE, act):
            raise stripe.APIConnectionError("timed out")  # type: ignore[no-untyped-call]
        reply = self.account.handle(method.upper(), path, headers, post_data or b"")
        if self._meets(RESPONSE_LOST, act):
            raise stripe.APIConnectionError("timed out")  # type: ignore[no-untyped-call]
        return json.dumps(reply.body), reply.status, {name.lower(): value for name, value in reply.headers.items()}

    def inject(self, kind: FaultKind, act: str, *, attempts: int = 2) -> None:
        """Inject a fault into the next call of an act: the last part of its path, or `get` for every read.

        `attempts`: how many attempts fail; by default the call and its repetition.
        """
        self._faults += [(kind, act)] * attempts

    def refuse(self, stripe_id: str, call: str, code: str, kind: str = "invalid_request_error") -> None:
        """Let Stripe refuse a call about this PaymentIntent: `capture`, `cancel` or `refund`."""
        form = f"payment_intent={stripe_id}&call={call}&code={code}&type={kind}"
        assert self.account.handle("POST", "/local/refusals", {}, form).status == 200

    def _meets(self, kind: FaultKind, act: str) -> bool:
        if (kind, act) not in self._faults:
            return False
        self._faults.remove((kind, act))
        return True

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def intents(self) -> list[dict[str, Any]]:
        """Return all PaymentIntents, newest first."""
        found: list[dict[str, Any]] = self.api("GET", "/v1/payment_intents?limit=100")["data"]
        return found

    def api(self, method: str, path: str, form: str = "") -> dict[str, Any]:
        """Call Stripe's API directly, as an operator does by hand."""
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        reply = self.account.handle(method, path, headers, form)
        assert reply.status == 200, reply.body
        return dict(reply.body)

    def save(self) -> Saved:
        """Return the account's whole state, for `restore`."""
        return copy.deepcopy(self.account._tables._tables)

    def restore(self, saved: Saved) -> None:
        """Replace the account's state by a saved one."""
        self.account._tables._tables = copy.deepcopy(saved)

    def webhooks(self, world: World, *, only: str | None = None) -> list[Response]:
        """Deliver the pending webhooks, signed now, as Stripe does."""
        answers = []
        for pending in self.account.pending_webhooks():
            notification = json.loads(pending.body)
            if only is None or notification["type"] == only:
                deliver = deliver_connect_webhook if "account" in notification else deliver_webhook
                answers.append(deliver(world, notification))
            self.account.webhook_answered(pending.event_id, 200)
        return answers


def deliver_webhook(
    world: World, notification: object, *, secret: str = WEBHOOK_SECRET, age: int = 0, raw: str | None = None
) -> Response:
    """Deliver one webhook, signed `age` seconds ago."""
    body = raw if raw is not None else json.dumps(notification)
    return _deliver(world, "/api/payments/webhook", body, secret=secret, age=age)


def deliver_connect_webhook(
    world: World, notification: object, *, secret: str = CONNECT_WEBHOOK_SECRET, age: int = 0, raw: str | None = None
) -> Response:
    """The same for an event of a connected account."""
    body = raw if raw is not None else json.dumps(notification)
    return _deliver(world, "/api/payouts/webhook", body, secret=secret, age=age)


def _deliver(world: World, path: str, body: str, *, secret: str, age: int) -> Response:
    signature = signature_header(body.encode(), secret, int(time.time()) - age)
    return world.call("POST", path, raw=body, headers={"Stripe-Signature": signature})
