"""One ticket, many buyers: the first holds it, and never longer than the order window."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from local.api_client import Client
from tests.e2e.conftest import Marketplace, eventually, problem, wait_for_deadline


@pytest.mark.parametrize("round_number", range(5))
def test_one_of_two_concurrent_orders_wins(
    marketplace: Marketplace, seller: Client, alice: Client, bob: Client, round_number: int
) -> None:
    ticket = marketplace.sell(seller)
    eventually(lambda: bool(marketplace.orders_copy(ticket)), "orders know the ticket")
    with ThreadPoolExecutor(2) as together:
        answers = list(together.map(lambda buyer: buyer.post("/api/orders", {"ticketID": ticket}), (alice, bob)))
    assert sorted(answer.status for answer in answers) == [201, 409]
    (refused,) = (answer for answer in answers if answer.status == 409)
    problem(refused, 409, "ticket_held")


def test_one_of_eight_concurrent_orders_wins(marketplace: Marketplace, seller: Client) -> None:
    ticket = marketplace.sell(seller)
    eventually(lambda: bool(marketplace.orders_copy(ticket)), "orders know the ticket")
    crowd = [marketplace.newcomer(f"fan-{number}") for number in range(8)]
    with ThreadPoolExecutor(len(crowd)) as together:
        answers = list(together.map(lambda buyer: buyer.post("/api/orders", {"ticketID": ticket}), crowd))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


def test_lapsed_ticket_can_be_ordered_while_expiration_is_down(
    marketplace: Marketplace, seller: Client, alice: Client, bob: Client
) -> None:
    ticket, left = marketplace.sell(seller), marketplace.sell(seller, title="Back row")
    with _expiration_down(marketplace):
        lapsing = marketplace.order(alice, ticket)
        abandoned = marketplace.order(alice, left)
        problem(bob.post("/api/orders", {"ticketID": ticket}), 409, "ticket_held")
        both = (ticket, left)
        eventually(lambda: all(marketplace.ticket(held)["status"] == "reserved" for held in both), "the holds show")
        assert not marketplace.on_sale() & {*both}

        wait_for_deadline(lapsing)
        order = bob.post("/api/orders", {"ticketID": ticket}).expect(201)
        wait_for_deadline(abandoned)
        assert marketplace.ticket(left)["status"] == "available"
        assert left in marketplace.on_sale()
        eventually(lambda: marketplace.order_status(alice, lapsing) == "cancelled", "the takeover cancelled it")
        assert marketplace.order_status(alice, abandoned) == "created", "nothing has cancelled it"

    problem(marketplace.pay(alice, lapsing), 409)
    marketplace.pay(bob, order).expect(200, 201)
    marketplace.settle_purchase(bob, order)


@contextmanager
def _expiration_down(marketplace: Marketplace) -> Iterator[None]:
    """Stop the function that reads the expiration queue."""
    functions = marketplace.stack.aws.functions()
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = (each["UUID"] for each in mappings if "ExpirationListener" in each["FunctionArn"])
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
        state = functions.get_event_source_mapping(UUID=mapping)["State"]
        assert state == "Disabled", "it was down all the time"
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)
