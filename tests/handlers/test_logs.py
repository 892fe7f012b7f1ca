"""What the logs tell: one purchase can be followed through all services, and no line holds what it must not."""

import io
import json
import re
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from functions.payments.payment import PaymentsNotConfigured
from shared import telemetry
from shared.ids import new_id
from shared.telemetry import count, logger, measure
from tests.handlers.bus import Bus
from tests.handlers.signing_key import SigningKey
from tests.handlers.stripe_in_process import Stripe, deliver_webhook
from tests.handlers.world import Person, World, envelope, sqs_batch

PASSWORD = "correct horse battery"
EMAIL = "ada.lovelace@example.com"
OTHER_EMAIL = "not-yet.somebody@example.org"
CARD = "tok_chargeDeclinedInsufficientFunds"


class Log:
    """All that the functions write, lines and counted facts alike."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, correlation_id: str) -> list[str]:
        """What one request has led to, in a few words each."""
        return [
            str(line.get("route") or line.get("event_type") or line.get("message") or _metric(line))
            for line in self.lines
            if line.get("correlation_id") == correlation_id
        ]

    def counted(self) -> dict[str, float]:
        """The sum of each metric."""
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
    """All five services, Scheduler's group too."""
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


def test_one_id_leads_from_an_order_through_every_service_that_hears_of_it(market: World, log: Log) -> None:
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


def test_one_id_leads_from_the_payment_to_the_sold_ticket(market: World, log: Log) -> None:
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


def test_the_deadlines_timer_carries_the_orders_id_on(market: World, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    monkeypatch.setattr("shared.aws.events", lambda: bus)
    timer = {"orderId": new_id(), "userID": new_id(), "correlationId": "the order's request", "causationId": "e"}
    market.invoke("expiration.expire", timer)
    assert log.of("the order's request") == ["deadline told"]
    (told,) = bus.taken
    assert json.loads(told["Detail"])["metadata"]["correlationId"] == "the order's request"


def test_no_line_holds_a_password_a_token_a_card_or_an_address(market: World, stripe: Stripe, log: Log) -> None:
    """A whole day: all that goes well, and all that goes wrong with something secret in hand."""
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
    stripe.fail_next = "confirm"
    market.call("POST", "/api/payments", payment, by=buyer)
    market.call("POST", "/api/payments", {**payment, "token": "tok_visa"}, by=buyer)
    client_secret = stripe.intents()[0]["client_secret"]
    market.settle()
    stripe.webhooks(market)
    deliver_webhook(market, {"type": "payment_intent.succeeded"}, secret="whsec_of_another")
    deliver_webhook(market, None, raw=f'{{"type": "{EMAIL}"')
    market.invoke("payments.reconciler", {})
    market.invoke("orders.sweep", {})

    assert len(log.lines) > 30
    for secret in [*secrets, client_secret]:
        assert secret not in log.text, [line for line in log.text.splitlines() if secret in line]
    assert not re.search(r"[\w.]+@[\w.]+\.\w+", log.text)
    assert not re.search(r"eyJ[\w-]+\.", log.text)


def test_an_event_that_breaks_its_contract_is_logged_and_counted_but_not_quoted(market: World, log: Log) -> None:
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
def test_what_a_library_puts_into_its_error_is_taken_out(log: Log, secret: str) -> None:
    logger.error("failed", exc_info=ValueError(f"no such thing: {secret}!"))
    assert secret not in log.text
    assert "no such thing: [redacted]" in log.text


def test_what_is_no_secret_is_left_as_it_is(log: Log) -> None:
    logger.info("card_declined pi_3Abc order 01ARZ3NDEKTSV4RRFFQ69G5FAV at POST /api/orders")
    assert log.lines[0]["message"] == "card_declined pi_3Abc order 01ARZ3NDEKTSV4RRFFQ69G5FAV at POST /api/orders"


def test_x_rays_trace_id_stands_beside_our_own(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67891233-abcdef012345678912345678;Parent=1;Sampled=1")
    with telemetry.follow(telemetry.Trace("the request", "the request")):
        logger.info("something")
    assert log.lines[0]["xray_trace_id"] == "1-67891233-abcdef012345678912345678"
    assert log.lines[0]["correlation_id"] == "the request"


def test_a_counted_fact_is_in_cloudwatchs_embedded_format(log: Log) -> None:
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


def test_a_business_day_is_counted_each_fact_once(market: World, log: Log) -> None:
    seller, alice, bob = market.person(), market.person(), market.person()
    first, second = _on_sale(market, seller, "120.00"), _on_sale(market, seller, "18.50")
    order = market.call("POST", "/api/orders", {"ticketID": first}, by=alice).json
    assert market.call("POST", "/api/orders", {"ticketID": first}, by=alice).status == 200, "her own: told again"
    assert market.call("POST", "/api/orders", {"ticketID": first}, by=bob).status == 409
    market.settle()
    market.call("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=alice)
    market.time.advance(seconds=3)
    for event in market.settle():  # and all of it once more
        if event["detail-type"].startswith(("payment:authorized", "payment:created")):
            market.deliver(event, "orders")
        if event["detail-type"].startswith("order:"):
            market.deliver(event, "payments")
    market.settle()
    lapsing = market.call("POST", "/api/orders", {"ticketID": second}, by=bob).json
    market.settle()
    market.time.advance(minutes=6)
    assert market.call("POST", "/api/orders", {"ticketID": second}, by=alice).status == 201, "takes over"
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


def test_an_order_that_the_sweep_ends_has_lapsed(market: World, log: Log) -> None:
    ticket = _on_sale(market, market.person())
    market.call("POST", "/api/orders", {"ticketID": ticket}, by=market.person())
    market.time.advance(minutes=9)
    market.invoke("orders.sweep", {})
    market.invoke("orders.sweep", {})
    assert log.counted() == {"OrdersPlaced": 1, "OrdersLapsed": 1, "OrdersSwept": 1}


def test_the_reconciler_tells_how_long_the_oldest_authorisation_has_waited(market: World, log: Log) -> None:
    buyer = market.person()
    ticket = _on_sale(market, market.person())
    order = market.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json
    market.settle()
    market.call("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=buyer)
    market.time.advance(days=5)
    market.invoke("payments.reconciler", {})
    assert log.counted()["OldestAuthorization"] == 5 * 24 * 60 * 60


def test_the_reconciler_tells_so_even_if_there_is_none(market: World, log: Log) -> None:
    market.invoke("payments.reconciler", {})
    assert log.counted() == {"OldestAuthorization": 0}


def test_without_keys_the_reconciler_is_content_until_there_is_a_payment(
    market: World, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_keys() -> object:
        raise PaymentsNotConfigured("there are no keys")

    monkeypatch.setattr("functions.payments.reconciler.Gateway", no_keys)
    market.invoke("payments.reconciler", {})
    assert log.counted() == {"OldestAuthorization": 0}
    monkeypatch.setattr("functions.payments.store.PaymentStore.unsettled", lambda _store, _until: iter([new_id()]))
    with pytest.raises(PaymentsNotConfigured):
        market.invoke("payments.reconciler", {})
