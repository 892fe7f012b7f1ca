"""The local Stripe as a server, driven by the real `stripe` SDK; its webhooks, and its state after a restart."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from stripe_emulator import PendingWebhook, StripeAccount
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY
from stripe_emulator.server import StripeServer
from stripe_emulator.webhooks import WebhookSender, post, retry_delay
from tests.emulator.conftest import NEW, SECRET, Core, Receiver, client, request


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def new_intent(sdk: stripe.StripeClient, **options: Any) -> stripe.PaymentIntent:
    return sdk.v1.payment_intents.create(
        {
            "amount": 2500,
            "currency": "usd",
            "capture_method": "manual",
            "allowed_payment_method_types": ["card"],
            "metadata": {"orderID": "o1", "stage": "local"},
        },
        options,  # type: ignore[arg-type] # a RequestOptions under another name
    )


def test_the_sdk_authorises_captures_and_refunds(sdk: stripe.StripeClient) -> None:
    intent = new_intent(sdk)
    token: Any = {"type": "card", "card": {"token": "tok_visa"}}
    held = sdk.v1.payment_intents.confirm(intent.id, {"payment_method_data": token})
    taken = sdk.v1.payment_intents.capture(intent.id)
    refund = sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 500})

    assert (held.status, taken.status, taken.amount_received) == ("requires_capture", "succeeded", 2500)
    assert refund.status == "succeeded"
    read = sdk.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(read.latest_charge, stripe.Charge)
    assert read.latest_charge.amount_refunded == 500
    assert read.metadata["orderID"] == "o1"
    assert [item.id for item in sdk.v1.refunds.list({"payment_intent": intent.id}).data] == [refund.id]
    assert sdk.v1.disputes.list({"payment_intent": intent.id}).data == []


def test_the_sdk_raises_its_own_errors(sdk: stripe.StripeClient, server: StripeServer) -> None:
    intent = new_intent(sdk)
    with pytest.raises(stripe.CardError) as declined:
        sdk.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"})
    assert declined.value.code == "card_declined"
    assert declined.value.error is not None
    assert declined.value.error.decline_code == "insufficient_funds"
    assert declined.value.request_id

    sdk.v1.payment_intents.cancel(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as too_late:
        sdk.v1.payment_intents.capture(intent.id)
    assert too_late.value.code == "payment_intent_unexpected_state"
    assert too_late.value.error is not None
    assert too_late.value.error.payment_intent is not None
    assert too_late.value.error.payment_intent.status == "canceled"

    with pytest.raises(stripe.AuthenticationError):
        new_intent(client(server, "sk_test_wrong"))
    with pytest.raises(stripe.PermissionError):
        new_intent(client(server, PUBLISHABLE_KEY))


def test_the_sdk_replays_and_refuses_by_idempotency_key(sdk: stripe.StripeClient) -> None:
    first = new_intent(sdk, idempotency_key="order-1")
    again = new_intent(sdk, idempotency_key="order-1")
    assert again.id == first.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        sdk.v1.payment_intents.cancel(first.id, options={"idempotency_key": "order-1"})


def test_the_sdk_pages_through_a_list(sdk: stripe.StripeClient) -> None:
    made = {new_intent(sdk).id for _ in range(5)}
    listed = sdk.v1.payment_intents.list({"limit": 2, "created": {"gte": 1}})
    assert {intent.id for intent in listed.auto_paging_iter()} == made
    events = sdk.v1.events.list({"types": ["payment_intent.created"], "created": {"gte": 1}, "limit": 3})
    assert (len(events.data), events.has_more) == (3, True)


def test_3d_secure_leads_through_the_page_and_back(server: StripeServer, sdk: stripe.StripeClient) -> None:
    intent = new_intent(sdk)
    challenged = sdk.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_threeDSecure2Required", "return_url": "http://shop.test/orders/1"}
    )
    assert challenged.next_action is not None
    assert challenged.next_action.redirect_to_url is not None
    page = (challenged.next_action.redirect_to_url.url or "").removeprefix(server.url)

    status, _, text = request(server, "GET", page)
    assert (status, "Complete authentication" in text) == (200, True)
    form = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    status, headers, _ = request(server, "POST", page, form, outcome="complete")

    assert status == 303
    assert headers["Location"].startswith("http://shop.test/orders/1?payment_intent=" + intent.id)
    assert headers["Location"].endswith("redirect_status=succeeded")
    assert sdk.v1.payment_intents.retrieve(intent.id).status == "requires_capture"


def test_a_browser_page_may_call_with_the_publishable_key(server: StripeServer, sdk: stripe.StripeClient) -> None:
    intent = new_intent(sdk)
    path = f"/v1/payment_intents/{intent.id}"
    status, headers, _ = request(server, "OPTIONS", f"{path}/confirm", {"Origin": "http://127.0.0.1:3000"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    # As Stripe.js does it: the key in the form.
    secret = str(intent.client_secret)
    status, headers, body = request(
        server,
        "POST",
        f"{path}/confirm",
        {"Content-Type": "application/x-www-form-urlencoded"},
        key=PUBLISHABLE_KEY,
        client_secret=secret,
        payment_method="pm_card_visa",
    )
    assert (status, json.loads(body)["status"]) == (200, "requires_capture")
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_webhooks_are_signed_as_the_sdk_expects(receiver: Receiver, sdk: stripe.StripeClient) -> None:
    intent = new_intent(sdk)
    eventually(lambda: receiver.received)
    body, signature = receiver.received[0]

    event = stripe.Webhook.construct_event(body, signature, SECRET)

    assert (event.type, event.data.object["id"]) == ("payment_intent.created", intent.id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", signature, SECRET)
    eventually(lambda: sdk.v1.events.retrieve(event.id).pending_webhooks == 0)


def test_a_webhook_is_retried_until_accepted(receiver: Receiver, sdk: stripe.StripeClient) -> None:
    receiver.statuses = [500]
    new_intent(sdk)
    eventually(lambda: len(receiver.received) == 2)
    assert receiver.types() == ["payment_intent.created"] * 2


def test_answered_requests_survive_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    state = tmp_path / "stripe.json"
    before = Core(state)
    intent = before.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW)
    # The journal is not closed, and its next line is incomplete, as after a kill.
    with state.open("a") as journal:
        journal.write('[["payment_intents","pi_torn",{"id":')

    after = Core(state, seed=8)

    assert after.get(f"/v1/payment_intents/{intent.body['id']}") == intent.body
    again = after.call("POST", "/v1/payment_intents", idempotency_key="k", **NEW)
    assert again.headers["Idempotent-Replayed"] == "true"
    [pending] = after.account.pending_webhooks()
    assert pending.event_type == "payment_intent.created"
    assert after.intent("succeeded")["status"] == "succeeded"
    after.account.close()
    before.account.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_command_serves_until_stopped_and_survives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stripe_emulator", "--port", "0", "--state", str(tmp_path / "stripe.json")]

    def run() -> tuple[subprocess.Popen[str], stripe.StripeClient]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert process.stdout is not None
        url = process.stdout.readline().rsplit(maxsplit=1)[-1]
        return process, stripe.StripeClient(SECRET_KEY, base_addresses={"api": url}, max_network_retries=0)

    process, sdk = run()
    with process:
        intent = new_intent(sdk)
        process.kill()
    process, sdk = run()
    with process:
        assert sdk.v1.payment_intents.retrieve(intent.id).metadata["orderID"] == "o1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_an_incomplete_line_is_removed_at_the_next_start(tmp_path: Path) -> None:
    state = tmp_path / "stripe.json"
    for life in range(3):
        core = Core(state, seed=life)
        core.intent()
        core.account.close()
        with state.open("a") as journal:
            journal.write('[["tor')
    core = Core(state)
    assert len(core.get("/v1/payment_intents")["data"]) == 3
    core.account.close()


def test_a_failed_write_does_not_damage_the_next_line(tmp_path: Path) -> None:
    state = tmp_path / "stripe.json"
    core = Core(state)
    core.intent()
    tables = core.account._tables
    assert tables._journal is not None
    full: Any = _FullDisk(tables._journal)
    tables._journal = full
    with pytest.raises(OSError, match="No space left"):
        core.intent()
    tables._journal = full.file
    core.intent()
    core.account.close()
    core = Core(state, seed=8)
    assert len(core.get("/v1/payment_intents")["data"]) == 2
    core.account.close()


class _FullDisk:
    """A file on a disk with room for ten more bytes."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.room = 10

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = self.file.write(data[: self.room])
        self.room -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def test_a_damaged_journal_is_refused_with_a_remedy(tmp_path: Path) -> None:
    state = tmp_path / "stripe.json"
    state.write_text('[["intents"\n[]\n')
    command = [sys.executable, "-m", "stripe_emulator", "--port", "0", "--state", str(state)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    assert done.returncode == 1
    assert f"The state saved in {state} cannot be read" in done.stderr
    assert "make reset" in done.stderr
    assert "Traceback" not in done.stderr


def test_events_since_a_time_are_delivered_again(core: Core) -> None:
    core.intent("requires_capture")
    core.now += 100
    late = core.intent()
    for webhook in core.account.pending_webhooks():
        core.account.webhook_answered(webhook.event_id, 200)
    core.account.deliver_again(since=core.now - 50)
    (again,) = core.account.pending_webhooks()
    assert json.loads(again.body)["data"]["object"]["id"] == late["id"]
    core.account.webhook_answered(again.event_id, 200)
    assert core.account.pending_webhooks() == []


def test_pending_webhooks_are_data_for_the_caller_to_deliver(core: Core) -> None:
    core.intent("requires_capture")
    pending = core.account.pending_webhooks()
    assert [webhook.event_type for webhook in pending] == core.events()
    for webhook in pending:
        core.account.webhook_answered(webhook.event_id, 200)
    assert core.account.pending_webhooks() == []


def test_retries_back_off_and_end_after_three_days(core: Core) -> None:
    core.intent()
    waits = []
    while pending := core.account.pending_webhooks():
        waits.append(pending[0].due_at - core.now)
        core.now = pending[0].due_at
        assert core.account.next_webhook() is not None
        core.account.webhook_answered(pending[0].event_id, None)
        assert core.account.next_webhook() is None
    assert waits[:4] == [0, 1, 2, 4]
    assert waits == sorted(waits)
    assert 3 * 24 * 3600 < sum(waits) < 3 * 24 * 3600 + 2 * retry_delay(1000)


def test_one_event_is_sent_by_one_worker_at_a_time(core: Core) -> None:
    core.intent()
    sent: list[str] = []
    may_answer = threading.Event()

    def send(webhook: PendingWebhook) -> int:
        sent.append(webhook.event_id)
        may_answer.wait(5)
        return 200

    sender = WebhookSender(core.account, send=send)
    sender.start()
    eventually(lambda: sent)
    time.sleep(0.05)
    may_answer.set()
    eventually(lambda: not core.account.pending_webhooks())
    sender.stop()
    assert len(sent) == 1


def test_an_unreachable_endpoint_counts_as_no_answer(core: Core) -> None:
    core.intent()
    assert post(core.account.pending_webhooks()[0], timeout=1) is None


def test_two_servers_do_not_share_a_port(server: StripeServer, tmp_path: Path) -> None:
    def never(_url: str) -> StripeAccount:
        raise AssertionError("opened the state of a running server")

    with pytest.raises(OSError, match="in use"):
        StripeServer(never, urlsplit(server.url).port or 0)
