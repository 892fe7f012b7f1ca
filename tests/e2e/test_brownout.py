"""While EventBridge fails, events wait in the tables' streams; afterwards they are published."""

import time
from collections.abc import Iterator

import pytest

from local.api_client import Client
from local.stack import LOCAL, LocalStack, temporary_stack
from tests.e2e.conftest import eventually
from tests.support.faulty_aws import faults_between

BROWNOUT_SECONDS = 15.0
PUT_EVENTS_FAILS = {"service": "*", "operation": "PutEvents", "error": {"code": "InternalFailure", "status": 500}}


@pytest.fixture
def stack() -> Iterator[LocalStack]:
    """A stack of its own: the functions' calls go through the proxy until it ends."""
    with temporary_stack("brownout", order_window_seconds=60, logs=LOCAL / "logs" / "brownout") as stack:
        yield stack


def sell(seller: Client) -> str:
    """Put a ticket on sale and return its id. Repeats the call while functions start behind the proxy."""
    made: list[str] = []

    def is_made() -> bool:
        answer = seller.post("/api/tickets", {"title": "Front row", "price": "5.00"})
        if answer.status == 201:
            made.append(str(answer.body["id"]))
        return bool(made)

    eventually(is_made, "a ticket is put on sale", seconds=60)
    return made[0]


def test_a_ticket_created_while_eventbridge_fails_becomes_orderable(stack: LocalStack) -> None:
    seller = stack.api.sign_up_or_in("seller@example.com", "correct horse battery")
    buyer = stack.api.sign_up_or_in("buyer@example.com", "correct horse battery")

    def is_ordered(ticket: str) -> bool:
        return buyer.post("/api/orders", {"ticketID": ticket}).status == 201

    with faults_between(stack, stack.logs) as set_rules:
        before = sell(seller)
        eventually(lambda: is_ordered(before), "events are published through the proxy", seconds=60)
        faults_before = set_rules([PUT_EVENTS_FAILS])
        during = sell(seller)
        time.sleep(BROWNOUT_SECONDS)
        assert buyer.post("/api/orders", {"ticketID": during}).status == 404, "Orders does not know it yet"
        assert set_rules([]) > faults_before
        eventually(lambda: is_ordered(during), "the ticket is orderable after the brownout", seconds=60)
