"""Tickets over HTTP: creating, reading, editing, withdrawing, and all refusals."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.tickets.store import TicketStore
from shared.ids import new_id
from shared.table import Item, Put, Table, Write
from shared.unit_of_work import VersionConflict
from tests.support.lambda_events import Person
from tests.support.world import World

NO_TICKET = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def stranger(world: World) -> Person:
    return world.person("stranger@example.com")


def put_on_sale(world: World, seller: Person, *, title: str = "A seat", price: str = "12.50") -> dict[str, Any]:
    answer = world.call("POST", "/api/tickets", {"title": title, "price": price}, by=seller)
    assert answer.status == 201, answer.text
    ticket: dict[str, Any] = answer.json
    return ticket


def test_a_seller_puts_a_ticket_on_sale(world: World, seller: Person) -> None:
    answer = world.call("POST", "/api/tickets", {"title": "  Row 1, seat 2 ", "price": "12.5"}, by=seller)

    assert answer.status == 201
    assert answer.json == {
        "id": answer.json["id"],
        "title": "Row 1, seat 2",
        "price": "12.50",
        "currency": "usd",
        "userID": seller.id,
        "status": "available",
        "version": 1,
        "createdAt": "2026-11-23T12:00:00.000Z",
    }


def test_a_new_ticket_is_published(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)

    [event] = world.published()
    assert event["detail-type"] == "ticket:created"
    assert event["detail"]["data"] == {
        "id": ticket["id"],
        "version": 1,
        "title": "A seat",
        "price": "12.50",
        "currency": "usd",
        "userID": seller.id,
    }


def test_the_request_is_the_cause_of_the_created_event(world: World, seller: Person) -> None:
    put_on_sale(world, seller)

    [event] = world.published()
    metadata = event["detail"]["metadata"]
    assert metadata["correlationId"] == metadata["causationId"]
    assert metadata["correlationId"].startswith("request-")


def test_anyone_reads_a_ticket_right_after_its_creation(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)

    assert world.call("GET", f"/api/tickets/{ticket['id']}").json == ticket


@pytest.mark.parametrize("ident", [NO_TICKET, "1", "nothing", NO_TICKET.lower(), NO_TICKET + "0", "8" + NO_TICKET[1:]])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_or_malformed_id_is_not_found(world: World, seller: Person, method: str, ident: str) -> None:
    body = {"title": "A seat", "price": "1"} if method == "PUT" else None
    answer = world.call(method, f"/api/tickets/{ident}", body, by=seller)

    assert (answer.status, answer.code) == (404, "ticket_not_found")


def test_a_malformed_id_causes_no_read(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Table, "get", lambda *_args, **_options: pytest.fail("the id was read"))

    assert world.call("GET", "/api/tickets/1").status == 404


def test_a_new_ticket_never_replaces_another(world: World, seller: Person) -> None:
    store = TicketStore(Table("tickets"))
    ticket = store.ticket(put_on_sale(world, seller)["id"])
    assert ticket
    store.insert(replace(ticket, title="Another seat"))
    with pytest.raises(VersionConflict):
        store.commit()

    assert store.ticket(ticket.id) == ticket


def test_a_get_is_strongly_consistent(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    real = Table.get

    def spy(self: Table, key: Any, *, consistent: bool = False) -> Item | None:
        reads.append(consistent)
        return real(self, key, consistent=consistent)

    monkeypatch.setattr(Table, "get", spy)
    world.call("GET", f"/api/tickets/{put_on_sale(world, seller)['id']}")

    assert reads == [True]


def test_the_seller_edits_a_ticket(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)
    answer = world.call("PUT", f"/api/tickets/{ticket['id']}", {"title": "Two seats", "price": "30"}, by=seller)

    edited = ticket | {"title": "Two seats", "price": "30.00", "version": 3}
    assert (answer.status, answer.json) == (200, edited)
    assert world.call("GET", f"/api/tickets/{ticket['id']}").json == edited


def test_an_edit_publishes_the_whole_ticket(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)
    world.published()
    world.call("PUT", f"/api/tickets/{ticket['id']}", {"title": "Two seats", "price": "30"}, by=seller)

    [event] = world.published()
    assert event["detail-type"] == "ticket:updated"
    assert event["detail"]["data"] == {
        "id": ticket["id"],
        "version": 3,
        "title": "Two seats",
        "price": "30.00",
        "currency": "usd",
        "userID": seller.id,
        "status": "available",
        "change": "edited",
    }


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_another_user_cannot_change_a_ticket(world: World, seller: Person, stranger: Person, method: str) -> None:
    ticket = put_on_sale(world, seller)
    body = {"title": "Mine now", "price": "1"} if method == "PUT" else None
    answer = world.call(method, f"/api/tickets/{ticket['id']}", body, by=stranger)

    assert (answer.status, answer.code) == (403, "not_your_ticket")
    assert world.call("GET", f"/api/tickets/{ticket['id']}").json == ticket


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/tickets"),
        ("GET", "/api/tickets/mine"),
        ("PUT", f"/api/tickets/{NO_TICKET}"),
        ("DELETE", f"/api/tickets/{NO_TICKET}"),
    ],
)
def test_a_call_without_a_user_is_refused_before_validation(world: World, method: str, path: str) -> None:
    for body in ({"title": "A seat", "price": "1"}, {"no": "ticket"}):
        answer = world.call(method, path, body)

        assert (answer.status, answer.code) == (401, "unauthenticated")
    assert world.items("tickets") == []


def test_the_seller_withdraws_a_ticket(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)
    answer = world.call("DELETE", f"/api/tickets/{ticket['id']}", by=seller)

    assert (answer.status, answer.text) == (204, "")
    assert world.call("GET", f"/api/tickets/{ticket['id']}").json["status"] == "withdrawn"


def test_withdrawing_again_succeeds_and_publishes_nothing(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)
    world.call("DELETE", f"/api/tickets/{ticket['id']}", by=seller)
    [_created_and_withdrawn] = world.published()

    assert world.call("DELETE", f"/api/tickets/{ticket['id']}", by=seller).status == 204
    assert world.published() == []


def test_a_withdrawn_ticket_can_be_edited_and_stays_withdrawn(world: World, seller: Person) -> None:
    ticket = put_on_sale(world, seller)
    world.call("DELETE", f"/api/tickets/{ticket['id']}", by=seller)
    answer = world.call("PUT", f"/api/tickets/{ticket['id']}", {"title": "Two seats", "price": "30"}, by=seller)

    assert (answer.status, answer.json["status"]) == (200, "withdrawn")
    [event] = world.published()
    assert event["detail"]["data"]["status"] == "withdrawn"
    assert world.call("GET", "/api/tickets").json["tickets"] == []


def test_of_two_concurrent_edits_both_count_and_the_last_stays(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = put_on_sale(world, seller)
    path = f"/api/tickets/{ticket['id']}"
    write = TicketStore.request
    waiting = ["the other edit"]
    versions = []

    def interrupted(self: TicketStore, *args: Any) -> None:
        if waiting:
            body = {"title": waiting.pop(), "price": "2"}
            versions.append(world.call("PUT", path, body, by=seller).json["version"])
        write(self, *args)

    monkeypatch.setattr(TicketStore, "request", interrupted)
    answer = world.call("PUT", path, {"title": "this edit", "price": "3"}, by=seller)

    assert [*versions, answer.json["version"]] == [3, 5]
    assert world.call("GET", path).json == answer.json


def test_repeated_version_conflicts_are_answered_with_503(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = put_on_sale(world, seller)
    table = Table("tickets")
    write = Table.write

    def outrun(self: Table, *writes: Write) -> None:
        [item] = [item for item in world.items("tickets") if item["pk"] == f"ticket#{ticket['id']}"]
        numbers = {"version": int(item["version"]) + 1, "createdAt": 0, "holdNumber": 0, "editedVersion": 1}
        write(table, Put(item=item | numbers))
        write(self, *writes)

    monkeypatch.setattr(Table, "write", outrun)
    answer = world.call("PUT", f"/api/tickets/{ticket['id']}", {"title": "Two seats", "price": "30"}, by=seller)

    assert (answer.status, answer.code) == (503, "unavailable")


TITLES = {
    "empty": "",
    "blank": "   ",
    "201 characters": "x" * 201,
    "one megabyte": "x" * 60_000,
    "a line break": "two\nlines",
    "a line break at the end": "one line\n",
    "a null": "a\x00b",
    "an escape": "\x1b[31mred",
    "a C1 control": "a\x85b",
    "a line separator": "a\u2028b",
    "a paragraph separator": "a\u2029b",
    "only a zero-width space": "\u200b",
    "only a combining mark": "\u0301",
    "only a Hangul filler": "\u3164",
    "a number": 7,
    "null": None,
    "a list": ["A seat"],
    "an object": {"text": "A seat"},
    "true": True,
}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES.keys())
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_invalid_title_is_refused_by_name(world: World, seller: Person, method: str, title: object) -> None:
    check_refused(world, seller, method, {"title": title, "price": "12.50"}, ["title"])


PRICES = {
    "empty": "",
    "a number": 12.5,
    "an integer": 12,
    "null": None,
    "true": True,
    "a list": ["12.50"],
    "negative": "-1.00",
    "signed": "+1.00",
    "zero": "0",
    "under the least charge": "0.49",
    "over the most": "1000000.00",
    "just over the most": "999999.991",
    "huge": "9" * 400,
    "three decimals": "1.005",
    "an exponent": "1e3",
    "a space": " 1.00",
    "a space inside": "1 000",
    "a line break": "1.00\n",
    "an underscore": "1_000",
    "a comma": "1,50",
    "no digits before the point": ".50",
    "no digits behind the point": "1.",
    "two points": "1.0.0",
    "hexadecimal": "0x10",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "Arabic digits": "\u0661\u0662.\u0663\u0664",
    "full-width digits": "\uff11\uff12",
    "a dollar sign": "$5",
}


@pytest.mark.parametrize("price", PRICES.values(), ids=PRICES.keys())
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_invalid_price_is_refused_by_name(world: World, seller: Person, method: str, price: object) -> None:
    check_refused(world, seller, method, {"title": "A seat", "price": price}, ["price"])


BODIES = {
    "nothing": ({}, ["title", "price"]),
    "no title": ({"price": "1"}, ["title"]),
    "no price": ({"title": "A seat"}, ["price"]),
    "both bad": ({"title": "", "price": "x"}, ["title", "price"]),
    "another's id": ({"title": "A seat", "price": "1", "userID": "me"}, ["userID"]),
    "a status": ({"title": "A seat", "price": "1", "status": "sold"}, ["status"]),
    "a version below 1": ({"title": "A seat", "price": "1", "version": 0}, ["version"]),
    "a currency": ({"title": "A seat", "price": "1", "currency": "jpy"}, ["currency"]),
}


@pytest.mark.parametrize(("body", "fields"), BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_each_invalid_field_is_named(
    world: World, seller: Person, method: str, body: dict[str, object], fields: list[str]
) -> None:
    check_refused(world, seller, method, body, fields)


def check_refused(world: World, seller: Person, method: str, body: object, fields: list[str]) -> None:
    path = "/api/tickets"
    if method == "PUT":
        path += f"/{put_on_sale(world, seller)['id']}"
    before = world.items("tickets")
    answer = world.call(method, path, body, by=seller)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error.get("field") for error in answer.json["errors"]] == fields
    assert world.items("tickets") == before


RAW_BODIES = {
    "not JSON": ("{", 400, "invalid_json"),
    "NaN": ('{"title": "A seat", "price": NaN}', 400, "invalid_json"),
    "a lone surrogate": (r'{"title": "\ud800", "price": "1"}', 400, "invalid_json"),
    "very deep": ('{"title": ' + "[" * 5_000 + "]" * 5_000 + "}", 400, "invalid_json"),
    "a list": ("[]", 400, "invalid_request"),
    "a string": ('"A seat"', 400, "invalid_request"),
    "null": ("null", 400, "invalid_request"),
    "no body": ("", 400, "invalid_request"),
    "over 64 KB": (json.dumps({"title": "x" * 70_000, "price": "1"}), 413, "body_too_large"),
    "a huge number": ('{"title": "A seat", "price": ' + "9" * 4_000 + "}", 400, "invalid_request"),
}


@pytest.mark.parametrize(("raw", "status", "code"), RAW_BODIES.values(), ids=RAW_BODIES.keys())
def test_a_body_that_is_no_ticket_is_refused(world: World, seller: Person, raw: str, status: int, code: str) -> None:
    answer = world.call("POST", "/api/tickets", raw=raw, by=seller)

    assert (answer.status, answer.code) == (status, code)
    assert world.items("tickets") == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(world: World, seller: Person, content_type: str) -> None:
    body = {"title": "A seat", "price": "1"}
    answer = world.call("POST", "/api/tickets", body, by=seller, headers={"Content-Type": content_type})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert world.items("tickets") == []


@pytest.mark.parametrize(
    "title", ["x" * 200, "Zażółć gęślą jaźń", "座席 一", "🎟️", "O'Brien & <b>sons</b>", "a\u200bb", "👨‍👩‍👧"]
)
def test_a_title_may_have_any_visible_text(world: World, seller: Person, title: str) -> None:
    assert put_on_sale(world, seller, title=title)["title"] == title


def test_a_price_in_yen_has_no_decimals(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRENCY", "jpy")

    ticket = put_on_sale(world, seller, price="500")
    assert (ticket["price"], ticket["currency"]) == ("500", "jpy")
    assert world.call("POST", "/api/tickets", {"title": "A seat", "price": "500.00"}, by=seller).status == 400


def test_the_same_key_creates_one_ticket(world: World, seller: Person) -> None:
    body, headers = {"title": "A seat", "price": "1"}, {"Idempotency-Key": "k"}
    first = world.call("POST", "/api/tickets", body, by=seller, headers=headers)
    world.time.advance(hours=1)
    again = world.call("POST", "/api/tickets", body, by=seller, headers=headers)

    assert (again.status, again.json) == (first.status, first.json)
    assert len(tickets(world)) == 1


def test_the_same_key_with_another_body_is_refused(world: World, seller: Person) -> None:
    headers = {"Idempotency-Key": "k"}
    world.call("POST", "/api/tickets", {"title": "A seat", "price": "1"}, by=seller, headers=headers)
    answer = world.call("POST", "/api/tickets", {"title": "A seat", "price": "2"}, by=seller, headers=headers)

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert len(tickets(world)) == 1


def test_an_edit_repeated_with_its_key_does_not_undo_a_later_one(world: World, seller: Person) -> None:
    path = f"/api/tickets/{put_on_sale(world, seller)['id']}"
    headers = {"Idempotency-Key": "k"}
    first = world.call("PUT", path, {"title": "First", "price": "1"}, by=seller, headers=headers)
    later = world.call("PUT", path, {"title": "Later", "price": "2"}, by=seller)
    again = world.call("PUT", path, {"title": "First", "price": "1"}, by=seller, headers=headers)

    assert (again.status, again.json) == (200, first.json)
    assert world.call("GET", path).json == later.json


def test_a_withdrawal_repeated_with_its_key_succeeds(world: World, seller: Person) -> None:
    path = f"/api/tickets/{put_on_sale(world, seller)['id']}"
    answers = [world.call("DELETE", path, by=seller, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert [(answer.status, answer.text) for answer in answers] == [(204, ""), (204, "")]


def test_a_refused_edit_repeated_with_its_key_is_refused(world: World, seller: Person, stranger: Person) -> None:
    path = f"/api/tickets/{put_on_sale(world, seller)['id']}"
    answers = [
        world.call("PUT", path, {"title": "Mine", "price": "1"}, by=stranger, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert [(answer.status, answer.code) for answer in answers] == [(403, "not_your_ticket")] * 2


def test_the_response_is_stored_in_the_transaction_of_its_effect(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = []
    write = Table.write

    def spy(self: Table, *writes: Write) -> None:
        if any(isinstance(one, Put) and one.item["pk"].startswith("ticket#") for one in writes):
            transactions.append(len(writes))
        write(self, *writes)

    monkeypatch.setattr(Table, "write", spy)
    put = {"title": "Two seats", "price": "1"}
    world.call("POST", "/api/tickets", put, by=seller, headers={"Idempotency-Key": "k"})

    assert transactions == [2]


def test_users_have_separate_idempotency_keys(world: World, seller: Person, stranger: Person) -> None:
    body, headers = {"title": "A seat", "price": "1"}, {"Idempotency-Key": "k"}
    own = world.call("POST", "/api/tickets", body, by=seller, headers=headers)
    other = world.call("POST", "/api/tickets", body, by=stranger, headers=headers)

    assert own.json["id"] != other.json["id"]
    assert other.json["userID"] == stranger.id


def test_public_tickets_are_cached_by_the_edge_for_a_second(world: World, seller: Person) -> None:
    ticket = f"/api/tickets/{put_on_sale(world, seller)['id']}"
    for method in ("GET", "HEAD"):
        for path in ("/api/tickets", ticket):
            answer = world.call(method, path, by=seller)
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "s-maxage=1")
            assert not answer.cookies


def test_all_other_answers_about_tickets_are_not_cached(world: World, seller: Person, stranger: Person) -> None:
    ticket = f"/api/tickets/{put_on_sale(world, seller)['id']}"
    edit = {"title": "Another seat", "price": "1"}
    answers = [
        world.call("GET", "/api/tickets/mine", by=seller),
        world.call("GET", "/api/tickets/mine"),
        world.call("GET", f"/api/tickets/{NO_TICKET}"),
        world.call("GET", "/api/tickets?limit=0"),
        world.call("POST", "/api/tickets", edit, by=seller),
        world.call("PUT", ticket, edit, by=stranger),
        world.call("DELETE", ticket, by=stranger),
    ]
    assert [each.status for each in answers] == [200, 401, 404, 400, 201, 403, 403]
    assert {each.headers["Cache-Control"] for each in answers} == {"no-store"}


def test_a_failed_read_of_public_tickets_is_not_cached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(TicketStore, "ticket", fail)
    answer = world.call("GET", f"/api/tickets/{NO_TICKET}")
    assert (answer.status, answer.headers["Cache-Control"]) == (503, "no-store")


def test_an_error_is_a_problem_document(world: World) -> None:
    answer = world.call("GET", f"/api/tickets/{NO_TICKET}")

    assert set(answer.json) == {"type", "title", "status", "detail", "code", "errors", "requestId"}
    assert re.fullmatch("request-.+", answer.json["requestId"])


def test_ids_sort_by_creation_time(world: World, seller: Person) -> None:
    idents = []
    for _ in range(5):
        idents.append(put_on_sale(world, seller)["id"])
        world.time.advance(milliseconds=1)

    assert idents == sorted(idents)
    assert new_id() > idents[-1]


def tickets(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items("tickets") if item["pk"].startswith("ticket#")]
