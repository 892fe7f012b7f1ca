"""The lists of tickets, on sale and of one seller, page by page under concurrent changes."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from functions.tickets import store
from functions.tickets.store import TicketStore
from functions.tickets.ticket import Hold, Ticket
from shared import aws, clock
from shared.ids import OrderID, TicketID, UserID, new_id
from shared.money import Price
from shared.pagination import encode_cursor
from shared.table import Table
from tests.support.lambda_events import Person
from tests.support.world import Response, World

AN_HOUR = timedelta(hours=1)


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


def stock(world: World, seller: Person, number: int, *, reserved: bool = False) -> list[str]:
    """Write that many tickets, created a millisecond apart, to the table; return their ids, newest first."""
    tickets: list[str] = []
    for _ in range(number):
        world.time.advance(milliseconds=1)
        hold = Hold(order_id=OrderID(new_id()), expires_at=clock.now() + AN_HOUR) if reserved else None
        ticket = Ticket(
            id=TicketID(new_id()),
            seller_id=seller.id,
            title="A seat",
            price=Price("12.50"),
            currency="usd",
            version=1,
            created_at=clock.now(),
            hold=hold,
        )
        store = TicketStore(Table("tickets"))
        store.insert(ticket)
        store.commit()
        tickets.append(ticket.id)
    return tickets[::-1]


def pages(world: World, path: str, *, limit: int, by: Person | None = None) -> Iterator[list[str]]:
    """Read all pages; return the ids on each."""
    cursor = ""
    while True:
        answer = world.call("GET", f"{path}?limit={limit}{cursor}", by=by)
        assert answer.status == 200, answer.text
        yield ids(answer)
        if answer.json["nextCursor"] is None:
            return
        following = f"&cursor={answer.json['nextCursor']}"
        assert following != cursor, "the cursors form a cycle"
        cursor = following


def chained(pages: Iterable[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


def ids(answer: Response) -> list[str]:
    return [ticket["id"] for ticket in answer.json["tickets"]]


def test_with_nothing_on_sale_the_page_is_empty(world: World) -> None:
    assert world.call("GET", "/api/tickets").json == {"tickets": [], "nextCursor": None}


def test_the_newest_ticket_comes_first_across_partitions(world: World, seller: Person) -> None:
    made = stock(world, seller, 12)

    assert ids(world.call("GET", "/api/tickets")) == made
    assert len({item["onSalePartition"] for item in world.items("tickets")}) > 1


def test_a_page_has_twenty_tickets_by_default(world: World, seller: Person) -> None:
    made = stock(world, seller, 21)
    answer = world.call("GET", "/api/tickets")

    assert ids(answer) == made[:20]
    assert answer.json["nextCursor"] is not None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("path", ["/api/tickets", "/api/tickets/mine"])
def test_every_ticket_is_on_exactly_one_page(world: World, seller: Person, path: str, limit: int) -> None:
    made = stock(world, seller, 8)
    read = list(pages(world, path, limit=limit, by=seller))

    assert chained(read) == made
    assert all(len(page) == limit for page in read[:-1])
    assert read[-1]


@pytest.mark.parametrize("path", ["/api/tickets", "/api/tickets/mine"])
def test_a_ticket_added_between_pages_repeats_none(world: World, seller: Person, path: str) -> None:
    made = stock(world, seller, 4)
    reading = pages(world, path, limit=2, by=seller)
    first = next(reading)
    stock(world, seller, 3)

    assert first + chained(reading) == made


def test_a_ticket_withdrawn_between_pages_skips_none(world: World, seller: Person) -> None:
    made = stock(world, seller, 5)
    reading = pages(world, "/api/tickets", limit=2)
    first = next(reading)
    for ident in (made[0], made[1], made[3]):  # the cursor's own ticket among them
        assert world.call("DELETE", f"/api/tickets/{ident}", by=seller).status == 204

    assert first + chained(reading) == [made[0], made[1], made[2], made[4]]


def test_reserved_tickets_do_not_shorten_a_page(world: World, seller: Person) -> None:
    below = stock(world, seller, 3)
    stock(world, seller, 50, reserved=True)
    above = stock(world, seller, 1)

    assert ids(world.call("GET", "/api/tickets?limit=3")) == above + below[:2]


def test_thousands_of_reserved_tickets_end_a_page_early(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following the cursors still finds all tickets."""
    monkeypatch.setattr(store, "MAX_SCANNED", 10)
    below = stock(world, seller, 2)
    stock(world, seller, 25, reserved=True)
    above = stock(world, seller, 1)

    assert list(pages(world, "/api/tickets", limit=20)) == [above, [], below]


def test_a_full_page_at_the_read_limit_continues_correctly(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_SCANNED", 3)
    made = stock(world, seller, 9)

    assert chained(pages(world, "/api/tickets", limit=2)) == made
    assert chained(pages(world, "/api/tickets", limit=20)) == made


def test_a_lapsed_hold_is_listed_from_its_deadline_on(world: World, seller: Person) -> None:
    """No event is needed."""
    made = stock(world, seller, 1, reserved=True)
    world.time.advance(hours=1, milliseconds=-1)
    assert ids(world.call("GET", "/api/tickets")) == []

    world.time.advance(milliseconds=1)
    assert ids(world.call("GET", "/api/tickets")) == made
    assert world.call("GET", "/api/tickets").json["tickets"][0]["status"] == "available"


def test_a_small_page_reads_each_partition_once(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    stock(world, seller, 60)
    calls: list[object] = []
    real = aws.dynamodb()

    class Spy:
        def query(self, **request: Any) -> Any:
            calls.append(request["Limit"])
            return real.query(**request)

    monkeypatch.setattr(aws, "dynamodb", Spy)
    world.call("GET", "/api/tickets?limit=10")

    assert len(calls) == store.ON_SALE_PARTITIONS


def test_mine_has_only_the_callers_tickets_in_every_status(world: World, seller: Person) -> None:
    withdrawn, reserved, available = (
        stock(world, seller, 1) + stock(world, seller, 1, reserved=True) + stock(world, seller, 1)
    )
    stock(world, world.person("other@example.com"), 2)
    world.call("DELETE", f"/api/tickets/{withdrawn}", by=seller)
    answer = world.call("GET", "/api/tickets/mine", by=seller)

    assert [(ticket["id"], ticket["status"]) for ticket in answer.json["tickets"]] == [
        (available, "available"),
        (reserved, "reserved"),
        (withdrawn, "withdrawn"),
    ]


def test_a_seller_finds_their_ticket_with_private_fields(world: World, seller: Person) -> None:
    [reserved] = stock(world, seller, 1, reserved=True)
    stock(world, seller, 2)
    answer = world.call("GET", f"/api/tickets/mine?ticketID={reserved}", by=seller)

    assert answer.json["nextCursor"] is None
    [ticket] = answer.json["tickets"]
    assert (ticket["id"], "orderID" in ticket) == (reserved, True)


@pytest.mark.parametrize("ident", ["", "mine", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_a_ticket_of_another_seller_is_not_in_mine(world: World, seller: Person, ident: str) -> None:
    [theirs] = stock(world, world.person("other@example.com"), 1)
    stock(world, seller, 1)

    for ticket_id in (ident, theirs):
        answer = world.call("GET", f"/api/tickets/mine?ticketID={ticket_id}", by=seller)
        assert (answer.status, answer.json) == (200, {"tickets": [], "nextCursor": None})


def test_one_ticket_has_no_pages(world: World, seller: Person) -> None:
    [ident] = stock(world, seller, 1)
    answer = world.call("GET", f"/api/tickets/mine?ticketID={ident}&cursor=x", by=seller)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["field"] == "cursor"


def test_only_the_seller_sees_which_order_has_a_ticket(world: World, seller: Person) -> None:
    [ident] = stock(world, seller, 1, reserved=True)
    [item] = world.items("tickets")
    [mine] = world.call("GET", "/api/tickets/mine", by=seller).json["tickets"]

    assert mine["orderID"] == item["holdOrderID"]
    assert "orderID" not in world.call("GET", f"/api/tickets/{ident}", by=seller).json


def test_the_public_list_hides_which_order_had_a_ticket(world: World, seller: Person) -> None:
    stock(world, seller, 1, reserved=True)
    world.time.advance(hours=2)

    assert "orderID" not in world.call("GET", "/api/tickets", by=seller).text
    assert "orderID" not in world.call("GET", "/api/tickets/mine", by=seller).text


@pytest.mark.parametrize("limit", ["0", "-1", "101", "999999999999999999999", "1.5", "many", "", "null", "1,2", "NaN"])
@pytest.mark.parametrize("path", ["/api/tickets", "/api/tickets/mine"])
def test_an_invalid_limit_is_refused_by_name(world: World, seller: Person, path: str, limit: str) -> None:
    answer = world.call("GET", f"{path}?limit={limit}", by=seller)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == ["limit"]


CURSORS = {
    "empty": "",
    "made up": "abc",
    "an id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "not ASCII": "käse",
    "another list's": encode_cursor("orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    "very long": "A" * 5000,
    "padded": encode_cursor(store.ON_SALE, "01ARZ3NDEKTSV4RRFFQ69G5FAV") + "=",
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS.keys())
@pytest.mark.parametrize("path", ["/api/tickets", "/api/tickets/mine"])
def test_a_forged_cursor_is_refused_by_name(world: World, seller: Person, path: str, cursor: str) -> None:
    answer = world.call("GET", f"{path}?cursor={cursor}", by=seller)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == ["cursor"]


def test_a_cursor_of_another_list_is_refused(world: World, seller: Person) -> None:
    stock(world, seller, 2)
    cursor = world.call("GET", "/api/tickets?limit=1").json["nextCursor"]

    assert world.call("GET", f"/api/tickets/mine?cursor={cursor}", by=seller).status == 400


def test_unknown_query_parameters_are_ignored(world: World) -> None:
    assert world.call("GET", "/api/tickets?sort=price&utm_source=mail").status == 200


def test_a_user_id_does_not_match_a_longer_one(world: World, seller: Person) -> None:
    stock(world, seller, 1)
    near = Person(UserID(seller.id[:-1]), "near@example.com")

    assert ids(world.call("GET", "/api/tickets/mine", by=near)) == []
