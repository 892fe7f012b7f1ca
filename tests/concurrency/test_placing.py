"""Many buyers, few tickets."""

import random
from collections import Counter
from datetime import datetime, timedelta

from shared import clock
from tests.support.race_environment import Sandbox, http, order, paid, person


def test_one_of_500_buyers_gets_the_ticket(sandbox: Sandbox) -> None:
    [ticket] = sandbox.on_sale(1)

    outcomes = sandbox.at_once([order(ticket, person()) for _ in range(500)], processes=50)

    assert Counter((outcome.status, outcome.code) for outcome in outcomes) == {(201, ""): 1, (409, "ticket_held"): 499}
    [placed] = [outcome.json for outcome in outcomes if outcome.status == 201]
    assert [item["id"] for item in sandbox.orders()] == [placed["id"]]


def test_1000_buyers_buy_50_tickets_once_each(sandbox: Sandbox) -> None:
    tickets = sandbox.on_sale(50)
    requests = tickets * 20
    random.Random(1).shuffle(requests)  # noqa: S311

    outcomes = sandbox.at_once([order(ticket, person()) for ticket in requests], processes=50)

    assert Counter(outcome.status for outcome in outcomes) == {201: 50, 409: 950}
    placed = [outcome.json for outcome in outcomes if outcome.status == 201]
    assert sorted(one["ticket"]["id"] for one in placed) == sorted(tickets)

    paying, lapsing = placed[:25], placed[25:]
    for event_type in ("payment:authorized", "payment:created"):
        assert all(outcome.is_taken for outcome in sandbox.at_once([paid(event_type, one) for one in paying]))
    later = clock.now() + timedelta(minutes=6)
    requests = tickets * 10
    random.Random(2).shuffle(requests)  # noqa: S311
    second = sandbox.at_once([order(ticket, person(), at=later) for ticket in requests], processes=50)

    assert {one["ticket"]["id"] for one in paying} == {i["id"] for i in sandbox.items("orders") if i.get("sold")}
    won = [outcome.json["ticket"]["id"] for outcome in second if outcome.status == 201]
    assert sorted(won) == sorted(one["ticket"]["id"] for one in lapsing)
    assert Counter(outcome.code for outcome in second if outcome.status == 409) == {
        "ticket_sold": 250,
        "ticket_held": 225,
    }
    assert Counter(item["status"] for item in sandbox.orders()) == {"completed": 25, "cancelled": 25, "created": 25}


def test_one_of_50_takes_over_at_the_deadline_and_none_before(sandbox: Sandbox) -> None:
    for _ in range(2):
        [ticket] = sandbox.on_sale(1)
        [first] = sandbox.ordered([ticket], [person()])
        deadline = datetime.fromisoformat(first["expiresAt"])
        early = sandbox.at_once([order(ticket, person(), at=deadline - timedelta(seconds=30)) for _ in range(10)])
        assert {outcome.code for outcome in early} == {"ticket_held"}

        outcomes = sandbox.at_once([order(ticket, person(), at=deadline) for _ in range(50)])

        assert Counter(outcome.status for outcome in outcomes) == {201: 1, 409: 49}
        [winner] = [outcome.json for outcome in outcomes if outcome.status == 201]
        ended, new = sorted((item for item in sandbox.orders() if item["ticketID"] == ticket), key=lambda i: i["hold"])
        assert (ended["id"], ended["status"], ended["reason"], ended["version"]) == (
            first["id"],
            "cancelled",
            "expired",
            2,
        )
        assert (new["id"], new["hold"]) == (winner["id"], 3)  # a takeover counts twice


def test_20_clicks_of_one_buyer_place_one_order(sandbox: Sandbox) -> None:
    [ticket] = sandbox.on_sale(1)
    buyer = person()

    outcomes = sandbox.at_once([order(ticket, buyer) for _ in range(20)])

    assert Counter(outcome.status for outcome in outcomes) == {201: 1, 200: 19}
    assert len({outcome.json["id"] for outcome in outcomes}) == 1


def test_one_buyer_gets_ten_of_30_tickets(sandbox: Sandbox) -> None:
    """The limit is exact however many orders of one buyer are placed at once."""
    tickets, buyer = sandbox.on_sale(30), person()

    outcomes = sandbox.at_once([order(ticket, buyer) for ticket in tickets], processes=30)
    while busy := [ticket for ticket, one in zip(tickets, outcomes, strict=True) if one.status == 503]:
        rest = [one for one in outcomes if one.status != 503]
        tickets = [ticket for ticket, one in zip(tickets, outcomes, strict=True) if one.status != 503] + busy
        outcomes = rest + sandbox.at_once([order(ticket, buyer) for ticket in busy], processes=5)

    assert Counter((outcome.status, outcome.code) for outcome in outcomes) == {
        (201, ""): 10,
        (409, "too_many_holds"): 20,
    }
    assert len(sandbox.orders()) == 10


def test_one_of_20_sign_ups_with_one_address_succeeds(sandbox: Sandbox) -> None:
    body = {"email": "first@example.com", "password": "correct horse"}

    outcomes = sandbox.at_once([http("POST", "/api/users/signup", body) for _ in range(20)])

    assert Counter((outcome.status, outcome.code) for outcome in outcomes) == {(201, ""): 1, (409, "email_in_use"): 19}
    [signed_up] = [outcome.json["id"] for outcome in outcomes if outcome.status == 201]
    assert {item["userID"] for item in sandbox.items("auth") if item["pk"].startswith("email#")} == {signed_up}
