"""Signed webhooks (docs: "Receive Stripe events in your webhook endpoint"): at least once, retried, unordered."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Protocol
from urllib.parse import urlsplit

# Stripe's first retry comes after minutes, which is too long for development.
RETRY_DELAYS = (1, 2, 4, 8, 15, 30, 60, 300, 900, 3600)
GIVE_UP_SECONDS = 3 * 24 * 3600
_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class WebhookEndpoint:
    """The URL of an account's events, and the secret that signs them (`whsec_…`)."""

    url: str
    secret: str


@dataclass(frozen=True)
class PendingWebhook:
    """One event to deliver: post `body` with `headers` to `url`, then call `StripeAccount.webhook_answered`."""

    event_id: str
    event_type: str
    url: str
    headers: dict[str, str]
    body: bytes
    attempts: int
    due_at: float


class WebhookSource(Protocol):
    """The methods of a StripeAccount that the sender needs."""

    def tick(self) -> None: ...
    def next_webhook(self, *, excluding: Collection[str] = ()) -> PendingWebhook | None: ...
    def webhook_answered(self, event_id: str, status: int | None) -> None: ...


def signature_header(body: bytes, secret: str, timestamp: int) -> str:
    """`Stripe-Signature`: HMAC-SHA256 over `timestamp.body`, keyed with the endpoint's secret."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def retry_delay(attempts: int) -> int:
    """Seconds until the next attempt after `attempts` failed ones."""
    return RETRY_DELAYS[min(attempts, len(RETRY_DELAYS)) - 1]


def post(webhook: PendingWebhook, timeout: float = _ANSWER_SECONDS) -> int | None:
    """Deliver once. Return the answer's status, or None if there was none. Redirects are not followed."""
    target = urlsplit(webhook.url)
    connect = HTTPSConnection if target.scheme == "https" else HTTPConnection
    connection = connect(target.hostname or "", target.port, timeout=timeout)
    try:
        path = f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
        connection.request("POST", path, body=webhook.body, headers=webhook.headers)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        return None
    else:
        return response.status
    finally:
        connection.close()


class WebhookSender:
    """Background threads that deliver an account's pending webhooks and call its `tick`."""

    def __init__(
        self,
        source: WebhookSource,
        *,
        workers: int = 4,
        send: Callable[[PendingWebhook], int | None] = post,
    ) -> None:
        self._source = source
        self._send = send
        self._on_their_way: set[str] = set()
        self._change = threading.Condition()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"webhooks-{number}", daemon=True) for number in range(workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for events to deliver at once."""
        with self._change:
            self._change.notify()

    def stop(self, timeout: float = 2) -> None:
        """Stop. A delivery in progress is not awaited; it stays pending and is sent again."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        while (webhook := self._next()) is not None:
            status = self._send(webhook)
            with self._change:
                self._on_their_way.discard(webhook.event_id)
                if self._stopping:
                    return
            self._source.webhook_answered(webhook.event_id, status)

    def _next(self) -> PendingWebhook | None:
        with self._change:
            while not self._stopping:
                self._source.tick()
                webhook = self._source.next_webhook(excluding=self._on_their_way)
                if webhook is not None:
                    self._on_their_way.add(webhook.event_id)
                    return webhook
                self._change.wait(0.25)
        return None
