"""The time from a confirmed card to "It's yours", on the local stack, and the hops it is made of.

The card is confirmed at the local Stripe with the request that the browser sends. Purchases follow one another, so all
functions are warm. Half of them are read every `POLL_SECONDS`, which shows when the API has the completed order; the
other half are read as the order page does, which waits longer between its reads.

The hops are taken from what the system keeps: the log lines of webhook and listeners, which the correlation id ties
together, and the event ids in them, which contain the time of the write that published the event.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from benchmarks.result import Result, percentile, spread
from local.api_client import Client
from local.stack import LOCAL, LocalStack, temporary_stack
from shared.ids import created_at_millis

PURCHASES = 100
QUICK_PURCHASES = 20
WARM_UP = 5
POLL_SECONDS = 0.02
REPLICATION_SECONDS = 0.1
TIMEOUT_SECONDS = 30
TARGET_P50, TARGET_P99 = 0.30, 1.0
CARD = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242424242424242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "40",
    "payment_method_data[card][cvc]": "123",
}
AUTHORISED_AT_STRIPE = "payment_intent.amount_capturable_updated"
CHAIN = ("payment:authorized", "order:awaiting-payment", "payment:created", "order:completed")
"""The events from the webhook to the completed order; each is caused by the one before it."""
HOPS = (
    "Stripe's webhook, until the function has verified it",
    "webhook: read the PaymentIntent, write payment:authorized",
    "stream, relay, bus, queue, Orders: write order:awaiting-payment",
    "stream, relay, bus, queue, Payments: capture at Stripe, write payment:created",
    "stream, relay, bus, queue, Orders: write order:completed",
    "until the API has responded with it",
)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A PaymentIntent, when the browser knew that its card is accepted, and when it knew the completed order.

    Times are seconds since 1970.
    """

    stripe_id: str
    confirmed: float
    shown: float

    @property
    def seconds(self) -> float:
        """What the buyer waited."""
        return self.shown - self.confirmed


type Pause = Callable[[float], float]
"""Seconds until the next read, after this many seconds of waiting."""


def client_pause(waited: float) -> float:
    """How long the order page waits: `pollInterval` in web/src/rules/order.ts, for a confirmed payment."""
    return min(max(0.5, waited / 2), 5.0)


def fast_pause(_waited: float) -> float:
    """How long to wait in order to know when the API has the order."""
    return POLL_SECONDS


def measure(*, quick: bool) -> list[Result]:
    """What the API and the page take, and each hop."""
    count = QUICK_PURCHASES if quick else PURCHASES
    with temporary_stack("purchase", order_window_seconds=300, logs=LOCAL / "logs" / "purchase") as stack:
        at_api, on_page = _purchases(stack, count)
        lines = list(_log_lines(stack))
    return [
        *_percentiles("card to completed order, at the API", at_api),
        *_percentiles("card to completed order, on the page", on_page),
        *_hops(lines, at_api),
    ]


def _percentiles(what: str, purchases: Sequence[Purchase]) -> list[Result]:
    waits = [purchase.seconds for purchase in purchases]
    return [
        Result(what=f"{what}: p50", figure=percentile(waits, 50), unit="s", target=TARGET_P50, spread=spread(waits)),
        Result(what=f"{what}: p99", figure=percentile(waits, 99), unit="s", target=TARGET_P99),
    ]


def _hops(lines: Iterable[Mapping[str, Any]], purchases: Sequence[Purchase]) -> list[Result]:
    found = [hops for hops in hops_of(lines, purchases) if hops]
    if len(found) < len(purchases) / 2:
        raise RuntimeError(f"the logs have the hops of {len(found)} of {len(purchases)} purchases")
    return [
        Result(what=f"card to completed order: {hop}", figure=percentile(times, 50), unit="s", spread=spread(times))
        for hop, times in zip(HOPS, zip(*found, strict=True), strict=True)
    ]


def hops_of(lines: Iterable[Mapping[str, Any]], purchases: Sequence[Purchase]) -> list[list[float]]:
    """The duration of each of HOPS for each purchase, in seconds; empty if the logs do not have all of its events.

    A capture may also become known by its own webhook, so the lines of all webhooks of a PaymentIntent are read.
    """
    received: dict[str, float] = {}
    subject: dict[str, str] = {}
    written: dict[tuple[str, str], float] = {}
    handled = []
    for line in lines:
        if line.get("message") == "webhook received":
            subject[line["correlation_id"]] = line["stripe_id"]
            if line["event_type"] == AUTHORISED_AT_STRIPE:
                received[line["stripe_id"]] = datetime.fromisoformat(line["timestamp"]).timestamp()
        elif line.get("message") == "event handled":
            handled.append(line)
    for line in handled:
        key = (subject.get(line["correlation_id"], ""), line["event_type"])
        at = created_at_millis(line["causation_id"]) / 1000
        written[key] = min(at, written.get(key, at))
    return [_hops_of(purchase, received, written) for purchase in purchases]


def _hops_of(
    purchase: Purchase, received: Mapping[str, float], written: Mapping[tuple[str, str], float]
) -> list[float]:
    events = [written.get((purchase.stripe_id, event)) for event in CHAIN]
    moments = [purchase.confirmed, received.get(purchase.stripe_id), *events, purchase.shown]
    known = [moment for moment in moments if moment is not None]
    return [after - before for before, after in pairwise(known)] if len(known) == len(moments) else []


def _purchases(stack: LocalStack, count: int) -> tuple[list[Purchase], list[Purchase]]:
    """This many purchases with fast reads and as many with the page's, one after the other."""
    seller = stack.api.sign_up_or_in("seller@example.com", "correct horse battery")
    buyer = stack.api.sign_up_or_in("buyer@example.com", "correct horse battery")
    for _ in range(WARM_UP):
        _purchase(stack, seller, buyer, fast_pause)
    at_api, on_page = [], []
    for _ in range(count):  # in alternation, so that both have the same load of the machine
        at_api.append(_purchase(stack, seller, buyer, fast_pause))
        on_page.append(_purchase(stack, seller, buyer, client_pause))
    return at_api, on_page


def _purchase(stack: LocalStack, seller: Client, buyer: Client, pause: Pause) -> Purchase:
    ticket = seller.post("/api/tickets", {"title": "Row 1", "price": "10.00"}).expect(HTTPStatus.CREATED)["id"]
    order = _post_until_replicated(buyer, "/api/orders", {"ticketID": ticket})["id"]
    payment = _post_until_replicated(buyer, "/api/payments", {"orderId": order})
    _confirm(stack, payment)
    confirmed = time.time()
    while True:
        time.sleep(pause(time.time() - confirmed))
        if buyer.get(f"/api/orders/{order}").expect(HTTPStatus.OK)["status"] == "completed":
            return Purchase(payment["stripeId"], confirmed, time.time())
        if time.time() > confirmed + TIMEOUT_SECONDS:
            raise RuntimeError(f"order {order} is not completed {TIMEOUT_SECONDS} s after its card was confirmed")


def _post_until_replicated(buyer: Client, path: str, body: Mapping[str, str]) -> Any:
    """Post, and retry sooner than the API asks to, which is after a second: this is not what is measured."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while (answer := buyer.post(path, body)).status == HTTPStatus.NOT_FOUND and time.monotonic() < until:
        time.sleep(REPLICATION_SECONDS)
    return answer.expect(HTTPStatus.CREATED)


def _confirm(stack: LocalStack, payment: Mapping[str, Any]) -> None:
    """Send the card as the page does (web/src/payment/localStripe.ts)."""
    client = {"key": payment["publishableKey"], "client_secret": payment["clientSecret"], "use_stripe_sdk": "true"}
    answer = stack.api.call(
        "POST",
        f"/local-stripe/v1/payment_intents/{payment['stripeId']}/confirm",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        raw=urlencode(client | CARD).encode(),
    ).expect(HTTPStatus.OK)
    if answer["status"] != "requires_capture":
        raise RuntimeError(f"the card was not accepted: {answer['status']}")


def _log_lines(stack: LocalStack) -> Iterable[dict[str, Any]]:
    """The structured lines of the webhook's and the listeners' logs."""
    logs = stack.aws.logs()
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for event in logs.get_paginator("filter_log_events").paginate(logGroupName=name).search("events[]"):
            if "webhook received" in event["message"] or "event handled" in event["message"]:
                yield json.loads(event["message"])
