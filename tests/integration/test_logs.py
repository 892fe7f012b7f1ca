"""Logs: one correlation id follows a purchase through all services, and no line holds a secret."""

import io
import json
import re
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from functions.payments.payment import DuePayment, PaymentsNotConfigured
from shared import telemetry
from shared.ids import OrderID, new_id
from shared.telemetry import count, logger, measure
from tests.support.event_bus import FakeEventBus
from tests.support.faults import UNREACHABLE
from tests.support.lambda_events import Person, envelope, sqs_batch
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe, deliver_webhook
from tests.support.world import World

PASSWORD = "correct horse battery"
EMAIL = "ada.lovelace@example.com"
OTHER_EMAIL = "not-yet.somebody@example.org"
CARD = "tok_chargeDeclinedInsufficientFunds"


class Log:
    """The functions' output: log lines and metrics."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, correlation_id: str) -> list[str]:
        """Return the lines of one request, each abridged."""
        return [
            str(line.get("route") or line.get("event_type") or line.get("message") or _metric(line))
            for line in self.lines
            if line.get("correlation_id") == correlation_id
        ]

    def counted(self) -> dict[str, float]:
        """Return the sum of each metric."""
        sums: dict[str, float] = {}
        for line in self.lines:
            if name := _metric(line):
                sums[name] = sums.get(name, 0) + line[name]
        return sums


def _metric(line: dict[str, Any]) -> str | None:
    return line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] if "_aws" in line else None


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    monkeypatch.setattr(telemetry, "sys", SimpleNamespace(stdout=stream))  # pytest sets its own for each phase
    return Log(stream)


@pytest.fixture
def market(world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return all five services, with Scheduler's group."""
    SigningKey(monkeypatch)
    group = f"logs-{new_id()}"
    boto3.client("scheduler").create_schedule_group(Name=group)
    for name, value in {
        "EVENT_BUS_NAME": "admit-one",
        "SCHEDULE_GROUP": group,
        "EXPIRE_FUNCTION_ARN": "arn:aws:lambda:us-east-1:123456789012:function:expire",
        "SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/scheduler",
        "SCHEDULE_DLQ_ARN": "arn:aws:sqs:us-east-1:123456789012:dead-letters",
    }.items():
        monkeypatch.setenv(name, value)
    return world


def _sign_up(world: World, email: str) -> tuple[Person, str]:
    answer = world.call("POST", "/api/users/signup", {"email": email, "password": PASSWORD})
    assert answer.status == 201, answer.text
    return Person(answer.json["id"], email), str(answer.json["token"])


def _on_sale(world: World, seller: Person, price: str = "12.50") -> str:
    ticket = world.call("POST", "/api/tickets", {"title": "Front row", "price": price}, by=seller).json
    world.settle()
    return str(ticket["id"])


def _last_request(log: Log) -> str:
    return str([line for line in log.lines if line.get("message") == "request"][-1]["correlation_id"])


def test_one_correlation_id_follows_an_order_to_all_services(market: World, log: Log) -> None:
    ticket = _on_sale(market, market.person())
    assert market.call("POST", "/api/orders", {"ticketID": ticket}, by=market.person()).status == 201
    request = _last_request(log)
    events = market.settle()
    assert {event["detail"]["metadata"]["correlationId"] for event in events} == {request}
    assert log.of(request) == [
        "OrdersPlaced",
        "POST /api/orders",
        *(["order:created"] * 3),  # tickets, payments, expiration
    ]
    assert {event["detail-type"] for event in events} == {"order:created", "ticket:updated"}


def test_one_correlation_id_links_payment_and_sold_ticket(market: World, log: Log) -> None:
    buyer = market.person()
    ticket = _on_sale(market, market.person())
    order = market.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json
    market.settle()
    market.call("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=buyer)
    request = _last_request(log)
    market.time.advance(seconds=2)
    events = market.settle()
    assert {event["detail"]["metadata"]["correlationId"] for event in events} == {request}
    followed = log.of(request)
    chain = ["payment:authorized", "order:awaiting-payment", "payment:created", "order:completed"]
    assert followed[0] == "POST /api/payments"
    assert [event for event in dict.fromkeys(followed) if event in chain] == chain
    assert "MoneyCaptured" in followed
    (sold,) = (event for event in events if event["detail"]["data"].get("change") == "sold")
    assert sold["detail"]["metadata"]["correlationId"] == request


def test_the_timer_keeps_the_orders_correlation_id(market: World, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = FakeEventBus()
    monkeypatch.setattr("shared.aws.events", lambda: bus)
    timer = {"orderId": new_id(), "userID": new_id(), "correlationId": "the order's request", "causationId": "e"}
    market.invoke("expiration.expire", timer)
    assert log.of("the order's request") == ["expiration published"]
    (entry,) = bus.taken
    assert json.loads(entry["Detail"])["metadata"]["correlationId"] == "the order's request"


def test_logs_hold_no_password_token_card_or_address(market: World, stripe: Stripe, log: Log) -> None:
    """Runs a whole day: each success, and each failure of a call that carries a secret."""
    buyer, token = _sign_up(market, EMAIL)
    seller = market.person("seller.somebody@example.net")
    secrets = [PASSWORD, EMAIL, OTHER_EMAIL, token, CARD, seller.email, "whsec_", "sk_test", "tok_", "_secret_"]
    ticket = _on_sale(market, seller)

    credentials = {"email": OTHER_EMAIL, "password": PASSWORD}
    for path in ("/api/users/signup", "/api/users/signin"):
        for body in (credentials, {**credentials, "password": 1}, {**credentials, OTHER_EMAIL: PASSWORD}, [PASSWORD]):
            market.call("POST", path, body)
        market.call("POST", path, raw=f'{{"email": "{OTHER_EMAIL}", "password": "{PASSWORD}')
    market.call("GET", "/api/users/currentuser", headers={"authorization": f"Bearer {token}x"})
    market.call("GET", "/api/users/currentuser", headers={"cookie": f"session={token}"})

    order = market.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json
    market.settle()
    payment = {"orderId": order["id"], "token": CARD}
    for body in (payment, {**payment, CARD: 1}, {**payment, "token": "tok_" + "x" * 2000}):
        market.call("POST", "/api/payments", body, by=buyer)
    stripe.inject(UNREACHABLE, "confirm")
    market.call("POST", "/api/payments", payment, by=buyer)
    market.call("POST", "/api/payments", {**payment, "token": "tok_visa"}, by=buyer)
    client_secret = stripe.intents()[0]["client_secret"]
    market.settle()
    stripe.webhooks(market)
    deliver_webhook(market, {"type": "payment_intent.succeeded"}, secret="whsec_of_another")
    deliver_webhook(market, None, raw=f'{{"type": "{EMAIL}"')
    market.repair("payments.reconciler")
    market.repair("orders.sweep")

    assert len(log.lines) > 30
    for secret in [*secrets, client_secret]:
        assert secret not in log.text, [line for line in log.text.splitlines() if secret in line]
    assert not re.search(r"[\w.]+@[\w.]+\.\w+", log.text)
    assert not re.search(r"eyJ[\w-]+\.", log.text)


def test_an_invalid_event_is_logged_and_counted_but_not_quoted(market: World, log: Log) -> None:
    data = {"id": new_id(), "version": EMAIL, "title": PASSWORD, "price": 5, "currency": "usd", "userID": "u"}
    metadata = {"id": new_id(), "time": "2026-11-23T12:00:00Z", "correlationId": "c", "causationId": "c"}
    broken = envelope("ticket:created", {"metadata": metadata, "data": data})
    answer = market.invoke("orders.listener", sqs_batch(broken))
    assert answer["batchItemFailures"]
    (line, _) = log.lines
    assert (line["message"], line["event_type"]) == ("event not handled", "ticket:created")
    assert "version" in line["exception"]
    assert log.counted() == {"EventsNotHandled": 1}
    assert PASSWORD not in log.text
    assert EMAIL not in log.text


@pytest.mark.parametrize(
    "secret",
    [
        "ada@example.com",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_123",
        "tok_visa",
        "pm_1Abc",
        "card_1Abc",
        "sk_live_abc",
        "whsec_abc",
        "pi_3Abc_secret_def",
    ],
)
def test_secrets_in_a_librarys_error_are_redacted(log: Log, secret: str) -> None:
    logger.error("failed", exc_info=ValueError(f"no such thing: {secret}!"))
    assert secret not in log.text
    assert "no such thing: [redacted]" in log.text


def test_text_without_secrets_is_unchanged(log: Log) -> None:
    logger.info("card_declined pi_3Abc order 01ARZ3NDEKTSV4RRFFQ69G5FAV at POST /api/orders")
    assert log.lines[0]["message"] == "card_declined pi_3Abc order 01ARZ3NDEKTSV4RRFFQ69G5FAV at POST /api/orders"


def test_log_lines_have_the_x_ray_trace_id(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67891233-abcdef012345678912345678;Parent=1;Sampled=1")
    with telemetry.follow(telemetry.Trace("the request", "the request")):
        logger.info("something")
    assert log.lines[0]["xray_trace_id"] == "1-67891233-abcdef012345678912345678"
    assert log.lines[0]["correlation_id"] == "the request"


def test_metrics_are_in_cloudwatchs_embedded_format(log: Log) -> None:
    count("OrdersPlaced")
    measure("PaymentToTicket", 1.5)
    placed, took = log.lines
    (directive,) = placed["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "AdmitOne",
        "Dimensions": [["stage"]],
        "Metrics": [{"Name": "OrdersPlaced", "Unit": "Count"}],
    }
    assert (placed["stage"], placed["OrdersPlaced"]) == ("test", 1)
    assert isinstance(placed["_aws"]["Timestamp"], int)
    assert took["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "PaymentToTicket", "Unit": "Seconds"}]
    assert took["PaymentToTicket"] == 1.5


def test_each_business_fact_is_counted_once(market: World, log: Log) -> None:
    seller, alice, bob = market.person(), market.person(), market.person()
    first, second = _on_sale(market, seller, "120.00"), _on_sale(market, seller, "18.50")
    order = market.call("POST", "/api/orders", {"ticketID": first}, by=alice).json
    assert market.call("POST", "/api/orders", {"ticketID": first}, by=alice).status == 200, (
        "her own order is returned again"
    )
    assert market.call("POST", "/api/orders", {"ticketID": first}, by=bob).status == 409
    market.settle()
    market.call("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=alice)
    market.time.advance(seconds=3)
    for event in market.settle():  # all of it delivered again
        if event["detail-type"].startswith(("payment:authorized", "payment:created")):
            market.deliver(event, "orders")
        if event["detail-type"].startswith("order:"):
            market.deliver(event, "payments")
    market.settle()
    lapsing = market.call("POST", "/api/orders", {"ticketID": second}, by=bob).json
    market.settle()
    market.time.advance(minutes=6)
    assert market.call("POST", "/api/orders", {"ticketID": second}, by=alice).status == 201, (
        "the lapsed order is taken over"
    )
    market.settle()
    assert market.call("GET", f"/api/orders/{lapsing['id']}", by=bob).json["status"] == "cancelled"
    counted = log.counted()
    assert counted.pop("PaymentToTicket") == pytest.approx(3, abs=1)
    assert counted == {
        "OrdersPlaced": 3,
        "OrdersRefused": 1,
        "OrdersLapsed": 1,
        "OrdersCompleted": 1,
        "MoneyCaptured": 120.0,
    }


def test_an_order_ended_by_the_sweep_counts_as_lapsed(market: World, log: Log) -> None:
    ticket = _on_sale(market, market.person())
    market.call("POST", "/api/orders", {"ticketID": ticket}, by=market.person())
    market.time.advance(minutes=9)
    market.repair("orders.sweep")
    market.repair("orders.sweep")
    assert log.counted() == {"OrdersPlaced": 1, "OrdersLapsed": 1, "OrdersSwept": 1}


def test_the_reconciler_reports_the_oldest_authorisations_age(market: World, log: Log) -> None:
    buyer = market.person()
    ticket = _on_sale(market, market.person())
    order = market.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json
    market.settle()
    market.call("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=buyer)
    market.time.advance(days=5)
    market.invoke("payments.reconciler", {})
    assert log.counted()["OldestAuthorization"] == 5 * 24 * 60 * 60


def test_the_reconciler_reports_zero_without_authorisations(market: World, log: Log) -> None:
    market.invoke("payments.reconciler", {})
    assert log.counted() == {"OldestAuthorization": 0, "PaymentsDue": 0}


def test_missing_keys_do_not_fail_the_reconciler(market: World, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails only if a payment is unsettled."""

    def no_keys() -> object:
        raise PaymentsNotConfigured("there are no keys")

    monkeypatch.setattr("functions.payments.reconciler.StripeGateway", no_keys)
    market.invoke("payments.reconciler", {})
    assert log.counted() == {"OldestAuthorization": 0}
    due = [DuePayment(OrderID(new_id()), market.time.now())]
    monkeypatch.setattr("functions.payments.reconciler._find_due", lambda _store: due)
    with pytest.raises(PaymentsNotConfigured):
        market.invoke("payments.reconciler", {})
