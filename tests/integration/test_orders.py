"""Orders: holding a ticket, losing it, and the effect of events."""

from typing import Any

import pytest

from shared.ids import new_id
from tests.integration.placing import deliver_ticket, offer, place
from tests.support.lambda_events import Person, envelope, http_event, new_event, sqs_batch
from tests.support.world import World

NOT_AN_ORDER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def ticket_id(world: World, seller: Person) -> str:
    return offer(world, seller)


def payment(event_type: str, order: dict[str, Any]) -> dict[str, Any]:
    return new_event(
        event_type,
        {
            "id": new_id(),
            "version": 1,
            "orderId": order["id"],
            "userID": order["userID"],
            "stripeId": "pi_1",
            "reason": "card",
        },
    )


def expiration(order: dict[str, Any]) -> dict[str, Any]:
    return new_event("expiration:completed", {"orderId": order["id"], "userID": order["userID"]})


def copy_of(world: World, ticket_id: str) -> dict[str, Any]:
    return next(item for item in world.items("orders") if item["pk"] == f"ticket#{ticket_id}")


def test_placing_holds_the_ticket_for_five_minutes(world: World, ticket_id: str, buyer: Person) -> None:
    answer = place(world, ticket_id, buyer)

    assert answer.status == 201
    assert answer.json["status"] == "created"
    assert answer.json["expiresAt"] == "2026-11-23T12:05:00.000Z"
    assert answer.json["ticket"] == {"id": ticket_id, "title": "A seat", "price": "12.50", "currency": "usd"}
    assert [event["detail-type"] for event in world.published()] == ["order:created"]


def test_a_second_buyer_is_refused_while_the_hold_is_live(world: World, ticket_id: str, buyer: Person) -> None:
    place(world, ticket_id, buyer)
    answer = place(world, ticket_id, world.person())

    assert (answer.status, answer.code) == (409, "ticket_held")


def test_the_same_buyer_gets_their_own_live_order_again(world: World, ticket_id: str, buyer: Person) -> None:
    first = place(world, ticket_id, buyer)
    again = place(world, ticket_id, buyer)

    assert again.status == 200
    assert again.json == first.json


def test_a_lapsed_hold_is_taken_over_from_its_deadline_on(world: World, ticket_id: str, buyer: Person) -> None:
    lapsed = place(world, ticket_id, buyer).json
    other = world.person()
    world.time.advance(minutes=5, milliseconds=-1)
    assert place(world, ticket_id, other).status == 409

    world.time.advance(milliseconds=1)
    answer = place(world, ticket_id, other)

    assert answer.status == 201
    ended = world.call("GET", f"/api/orders/{lapsed['id']}", by=buyer).json
    assert ended["status"] == "cancelled"


def test_a_takeover_publishes_both_orders(world: World, ticket_id: str, buyer: Person) -> None:
    """The hold version rises by two."""
    place(world, ticket_id, buyer)
    world.published()
    world.time.advance(minutes=5)
    place(world, ticket_id, world.person())

    published = {event["detail-type"]: event["detail"]["data"] for event in world.published()}
    assert published["order:cancelled"]["ticket"]["hold"] == 2
    assert published["order:cancelled"]["reason"] == "expired"
    assert published["order:created"]["ticket"]["hold"] == 3


def test_an_authorised_order_keeps_the_ticket_past_its_deadline(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    assert world.deliver(payment("payment:authorized", order), "orders")
    world.time.advance(minutes=10)

    assert place(world, ticket_id, world.person()).code == "ticket_held"
    assert world.deliver(expiration(order), "orders")
    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"] == "awaiting:payment"


def test_a_captured_payment_sells_the_ticket(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.deliver(payment("payment:authorized", order), "orders")
    world.deliver(payment("payment:created", order), "orders")

    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"] == "completed"
    assert place(world, ticket_id, world.person()).code == "ticket_sold"
    assert place(world, ticket_id, buyer).code == "ticket_sold"


def test_a_failed_capture_cancels_the_order_and_frees_the_ticket(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.deliver(payment("payment:authorized", order), "orders")
    world.deliver(payment("payment:failed", order), "orders")

    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"] == "cancelled"
    assert place(world, ticket_id, world.person()).status == 201


@pytest.mark.parametrize("late", ["payment:authorized", "payment:created", "payment:failed"])
def test_an_outdated_payment_event_publishes_the_state_again(
    world: World, ticket_id: str, buyer: Person, late: str
) -> None:
    order = place(world, ticket_id, buyer).json
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    cancelled = [event for event in world.published() if event["detail-type"] == "order:cancelled"][-1]["detail"][
        "data"
    ]
    assert world.deliver(payment(late, order), "orders")

    (again,) = world.published()
    assert again["detail-type"] == "order:cancelled"
    assert again["detail"]["data"]["version"] == cancelled["version"] + 1
    assert again["detail"]["data"]["ticket"]["hold"] == cancelled["ticket"]["hold"]


def test_a_duplicate_expiration_publishes_once(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.published()
    world.time.advance(minutes=5)
    world.deliver(expiration(order), "orders")
    world.deliver(expiration(order), "orders")

    assert [event["detail-type"] for event in world.published()] == ["order:cancelled"]


def test_an_early_timer_event_is_retried(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.time.advance(minutes=4, seconds=59)

    assert not world.deliver(expiration(order), "orders")
    world.time.advance(seconds=1)
    assert world.deliver(expiration(order), "orders")


def test_expiry_of_a_lapsed_order_does_not_free_a_newer_hold(world: World, ticket_id: str, buyer: Person) -> None:
    lapsed = place(world, ticket_id, buyer).json
    world.time.advance(minutes=5)
    place(world, ticket_id, world.person())
    world.deliver(expiration(lapsed), "orders")

    assert place(world, ticket_id, world.person()).code == "ticket_held"


def test_only_the_order_that_has_the_hold_can_move_it(world: World, ticket_id: str, buyer: Person) -> None:
    """Even an order with an outdated status cannot change a hold that names another order."""
    order = place(world, ticket_id, buyer).json
    world.tables.resource.Table("orders").update_item(
        Key={"pk": f"ticket#{ticket_id}", "sk": "ticket"},
        UpdateExpression="SET holdOrderID = :other",
        ExpressionAttributeValues={":other": NOT_AN_ORDER},
    )
    answer = world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)

    assert answer.status == 503
    assert copy_of(world, ticket_id)["holdOrderID"] == NOT_AN_ORDER


def test_cancelling_frees_the_ticket_and_is_idempotent(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json

    assert world.call("DELETE", f"/api/orders/{order['id']}", by=buyer).status == 204
    assert world.call("DELETE", f"/api/orders/{order['id']}", by=buyer).status == 204
    assert place(world, ticket_id, world.person()).status == 201


def test_an_order_being_paid_cannot_be_cancelled(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.deliver(payment("payment:authorized", order), "orders")
    answer = world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)

    assert (answer.status, answer.code) == (409, "order_paid")


def test_only_its_buyer_sees_or_cancels_an_order(world: World, ticket_id: str, buyer: Person, seller: Person) -> None:
    order = place(world, ticket_id, buyer).json
    for stranger in (world.person(), seller):
        assert world.call("GET", f"/api/orders/{order['id']}", by=stranger).status == 404
        assert world.call("DELETE", f"/api/orders/{order['id']}", by=stranger).status == 404
        assert world.call("GET", "/api/orders", by=stranger).json == {"orders": [], "nextCursor": None}


def test_a_seller_cannot_order_their_own_ticket(world: World, ticket_id: str, seller: Person) -> None:
    answer = place(world, ticket_id, seller)

    assert (answer.status, answer.code) == (403, "own_ticket")


@pytest.mark.parametrize("shown", ["12.5", "12.50", "0012.500", None])
def test_the_shown_price_compares_as_a_number(world: World, ticket_id: str, buyer: Person, shown: str | None) -> None:
    assert place(world, ticket_id, buyer, price=shown).status == 201


def test_a_changed_price_is_refused(world: World, ticket_id: str, buyer: Person, seller: Person) -> None:
    deliver_ticket(world, ticket_id, seller, version=2, price="15.00", change="edited", status="available")
    answer = place(world, ticket_id, buyer, price="12.50")

    assert (answer.status, answer.code) == (409, "price_changed")
    assert place(world, ticket_id, buyer, price="15").json["ticket"]["price"] == "15.00"


def test_an_older_ticket_event_is_ignored(world: World, ticket_id: str, buyer: Person, seller: Person) -> None:
    deliver_ticket(world, ticket_id, seller, version=3, price="15.00", change="edited", status="available")
    deliver_ticket(world, ticket_id, seller, version=2, price="99.00", change="edited", status="available")

    assert place(world, ticket_id, buyer).json["ticket"]["price"] == "15.00"


def test_a_ticket_event_does_not_change_the_hold(world: World, ticket_id: str, buyer: Person, seller: Person) -> None:
    place(world, ticket_id, buyer)
    deliver_ticket(world, ticket_id, seller, version=2, price="15.00", change="edited", status="available")

    assert place(world, ticket_id, world.person()).code == "ticket_held"


def test_a_withdrawn_ticket_cannot_be_ordered(world: World, ticket_id: str, buyer: Person, seller: Person) -> None:
    deliver_ticket(world, ticket_id, seller, version=2, change="withdrawn", status="withdrawn")

    assert place(world, ticket_id, buyer).code == "ticket_withdrawn"


@pytest.mark.parametrize("change", ["withdrawn", "edited"])
def test_a_withdrawn_ticket_that_shows_as_reserved_stays_withdrawn(
    world: World, ticket_id: str, buyer: Person, seller: Person, change: str
) -> None:
    """Tickets has not received yet that the order has ended, after which Orders accepted the withdrawal."""
    deliver_ticket(world, ticket_id, seller, version=2, status="withdrawn", change="withdrawn")
    deliver_ticket(world, ticket_id, seller, version=3, status="reserved", change=change)

    assert place(world, ticket_id, buyer).code == "ticket_withdrawn"


def test_a_recent_unknown_ticket_asks_for_a_retry(world: World, buyer: Person) -> None:
    answer = place(world, new_id(), buyer)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (404, "ticket_not_found", "1")


def test_an_old_unknown_ticket_asks_for_no_retry(world: World, buyer: Person) -> None:
    answer = place(world, NOT_AN_ORDER, buyer)

    assert answer.status == 404
    assert "Retry-After" not in answer.headers


def test_pages_of_orders_are_stable_under_inserts(world: World, seller: Person, buyer: Person) -> None:
    placed = []
    for _ in range(5):
        world.time.advance(seconds=1)
        placed.append(place(world, offer(world, seller), buyer).json["id"])
    first = world.call("GET", "/api/orders?limit=2", by=buyer).json
    world.time.advance(seconds=1)
    place(world, offer(world, seller), buyer)
    second = world.call("GET", f"/api/orders?limit=2&cursor={first['nextCursor']}", by=buyer).json
    third = world.call("GET", f"/api/orders?limit=2&cursor={second['nextCursor']}", by=buyer).json

    seen = [order["id"] for page in (first, second, third) for order in page["orders"]]
    assert seen == placed[::-1]
    assert third["nextCursor"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=1,2", "cursor=x", "cursor=AAAA", "cursor="]
)
def test_invalid_page_parameters_are_refused_by_name(world: World, buyer: Person, query: str) -> None:
    answer = world.call("GET", f"/api/orders?{query}", by=buyer)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_the_same_idempotency_key_returns_the_first_response(world: World, ticket_id: str, buyer: Person) -> None:
    key = {"Idempotency-Key": "one"}
    first = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)
    world.call("DELETE", f"/api/orders/{first.json['id']}", by=buyer)
    again = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)

    assert (again.status, again.json) == (201, first.json)
    assert world.call("GET", f"/api/orders/{first.json['id']}", by=buyer).json["status"] == "cancelled"


def test_an_idempotency_key_with_another_body_is_refused(world: World, ticket_id: str, buyer: Person) -> None:
    key = {"Idempotency-Key": "one"}
    world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)
    answer = world.call("POST", "/api/orders", {"ticketID": ticket_id, "price": "1"}, by=buyer, headers=key)

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


def test_an_error_response_is_stored_under_the_key(world: World, ticket_id: str, buyer: Person) -> None:
    other = world.person()
    order = place(world, ticket_id, other).json
    key = {"Idempotency-Key": "one"}
    world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)
    world.call("DELETE", f"/api/orders/{order['id']}", by=other)
    again = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)

    assert (again.status, again.code) == (409, "ticket_held")


def test_a_retryable_error_is_not_stored_under_the_key(world: World, buyer: Person, seller: Person) -> None:
    """The ticket had not reached Orders yet; the key must not repeat that error for a day."""
    key = {"Idempotency-Key": "one"}
    ident = new_id()
    early = world.call("POST", "/api/orders", {"ticketID": ident}, by=buyer, headers=key)
    assert (early.status, early.headers["Retry-After"]) == (404, "1")

    deliver_ticket(world, ident, seller)
    assert world.call("POST", "/api/orders", {"ticketID": ident}, by=buyer, headers=key).status == 201


def test_two_users_may_use_the_same_idempotency_key(world: World, ticket_id: str, buyer: Person) -> None:
    key = {"Idempotency-Key": "one"}
    world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers=key)
    answer = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=world.person(), headers=key)

    assert (answer.status, answer.code) == (409, "ticket_held")


def test_a_call_without_a_key_writes_no_record(world: World, ticket_id: str, buyer: Person) -> None:
    place(world, ticket_id, buyer)

    assert not [item for item in world.items("orders") if item["pk"].startswith("idempotency")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"ticketID": 7}, "ticketID"),
        ({"ticketID": None}, None),
        ({"ticketID": "x", "ticketId": "x"}, None),
        ({"ticketID": "x", "price": 12}, "price"),
        ({"ticketID": "x", "price": "1e3"}, "price"),
        ({"ticketID": "x", "price": "-1"}, "price"),
        ({"ticketID": "x", "userID": "me"}, "userID"),
        ([], None),
        ("text", None),
    ],
)
def test_an_invalid_body_is_refused_by_field(world: World, buyer: Person, body: object, field: str | None) -> None:
    answer = world.call("POST", "/api/orders", body, by=buyer)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0].get("field") == field
    assert world.items("orders") == []


@pytest.mark.parametrize(
    "raw",
    ["", "{", '{"ticketID": NaN}', '{"ticketID": "\\ud800"}', "[" * 5000, '{"ticketID": 1' + "0" * 5000 + "}", "null"],
)
def test_a_body_that_is_no_json_object_is_refused(world: World, buyer: Person, raw: str) -> None:
    answer = world.call("POST", "/api/orders", raw=raw, by=buyer)

    assert answer.status == 400
    assert answer.code in ("invalid_json", "invalid_request")


def test_another_content_type_is_refused(world: World, buyer: Person, ticket_id: str) -> None:
    answer = world.call(
        "POST", "/api/orders", {"ticketID": ticket_id}, by=buyer, headers={"Content-Type": "text/plain"}
    )

    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_a_body_over_64_kb_is_refused(world: World, buyer: Person) -> None:
    answer = world.call("POST", "/api/orders", {"ticketID": "x" * 70_000}, by=buyer)

    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/api/orders/nonsense", f"/api/orders/{NOT_AN_ORDER}", "/api/orders/..%2f"])
def test_a_malformed_id_is_not_found(world: World, buyer: Person, path: str) -> None:
    for method in ("GET", "DELETE"):
        assert world.call(method, path, by=buyer).status == 404


def orders_for(world: World, buyer: Person, ticket_id: str, name: str = "ticketID") -> list[dict[str, Any]]:
    answer = world.call("GET", f"/api/orders?{name}={ticket_id}", by=buyer)
    assert answer.status == 200, answer.text
    assert answer.json["nextCursor"] is None
    return list(answer.json["orders"])


@pytest.mark.parametrize("name", ["ticketID", "ticketId"])
def test_a_buyer_finds_their_order_by_its_ticket(world: World, ticket_id: str, buyer: Person, name: str) -> None:
    order = place(world, ticket_id, buyer).json
    for _ in range(3):
        place(world, offer(world, world.person()), buyer)

    assert orders_for(world, buyer, ticket_id, name) == [order]
    for event, status in (("authorized", "awaiting:payment"), ("created", "completed")):
        world.deliver(payment(f"payment:{event}", order), "orders")
        assert [found["status"] for found in orders_for(world, buyer, ticket_id, name)] == [status]
    world.deliver(payment("payment:refunded", order), "orders")
    assert orders_for(world, buyer, ticket_id, name) == []


def test_an_order_of_another_buyer_is_not_found_by_ticket(
    world: World, ticket_id: str, buyer: Person, seller: Person
) -> None:
    place(world, ticket_id, buyer)

    assert orders_for(world, world.person(), ticket_id) == []
    assert orders_for(world, seller, ticket_id) == []


def test_a_lapsed_order_is_found_until_it_is_cancelled(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    world.time.advance(minutes=5)
    assert [found["id"] for found in orders_for(world, buyer, ticket_id)] == [order["id"]]

    place(world, ticket_id, world.person())
    assert orders_for(world, buyer, ticket_id) == []


@pytest.mark.parametrize("ticket", ["", "nonsense", NOT_AN_ORDER])
def test_a_ticket_without_a_hold_has_no_order(world: World, buyer: Person, ticket_id: str, ticket: str) -> None:
    assert orders_for(world, buyer, ticket) == []
    assert orders_for(world, buyer, ticket_id) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [(f"ticketID={NOT_AN_ORDER}&ticketId={NOT_AN_ORDER}", "ticketID"), (f"ticketID={NOT_AN_ORDER}&cursor=x", "cursor")],
)
def test_an_ambiguous_query_for_a_tickets_order_is_refused(world: World, buyer: Person, query: str, field: str) -> None:
    answer = world.call("GET", f"/api/orders?{query}", by=buyer)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("event", "status", "reason"),
    [
        ("payment:authorized", "awaiting:payment", None),
        ("payment:failed", "cancelled", "payment_failed"),
    ],
)
def test_an_order_has_the_reason_of_its_cancellation(
    world: World, ticket_id: str, buyer: Person, event: str, status: str, reason: str | None
) -> None:
    order = place(world, ticket_id, buyer).json
    world.deliver(payment("payment:authorized", order), "orders")
    world.deliver(payment(event, order), "orders")
    shown = world.call("GET", f"/api/orders/{order['id']}", by=buyer).json

    assert (shown["status"], shown.get("reason")) == (status, reason)
    assert "refund" not in shown


@pytest.mark.parametrize("event", ["payment:refunded", "payment:partly-refunded"])
@pytest.mark.parametrize("before", [[], ["authorized"], ["authorized", "failed"]])
def test_a_refund_of_an_uncompleted_order_changes_nothing(
    world: World, ticket_id: str, buyer: Person, event: str, before: list[str]
) -> None:
    order = place(world, ticket_id, buyer).json
    for name in before:
        world.deliver(payment(f"payment:{name}", order), "orders")
    shown = world.call("GET", f"/api/orders/{order['id']}", by=buyer).json
    world.published()
    refund = payment(event, order)
    refund["detail"]["data"]["amountRefunded"] = 500
    assert world.deliver(refund, "orders")

    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json == shown
    assert world.published() == []


def test_a_refunded_ticket_is_withdrawn(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    for name in ("authorized", "created", "refunded"):
        world.deliver(payment(f"payment:{name}", order), "orders")

    assert place(world, ticket_id, world.person()).code == "ticket_withdrawn"
    assert world.call("DELETE", f"/api/orders/{order['id']}", by=buyer).code == "order_paid"
    copy = copy_of(world, ticket_id)
    assert copy["withdrawn"]
    assert not copy.keys() & {"holdOrderID", "holdUserID", "holdExpiresAt", "sold"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/orders"), ("GET", "/api/orders"), ("GET", "/api/orders/x"), ("DELETE", "/api/orders/x")],
)
def test_every_route_needs_a_user(world: World, method: str, path: str) -> None:
    answer = world.call(method, path, {} if method == "POST" else None)

    assert (answer.status, answer.code) == (401, "unauthenticated")


def test_the_sweep_expires_only_orders_whose_timer_was_lost(world: World, seller: Person, buyer: Person) -> None:
    lost = place(world, offer(world, seller), buyer).json
    paid = place(world, offer(world, seller), buyer).json
    world.deliver(payment("payment:authorized", paid), "orders")
    world.time.advance(minutes=7)
    fresh = place(world, offer(world, seller), buyer).json
    world.repair("orders.sweep")
    statuses = {order["id"]: order["status"] for order in world.call("GET", "/api/orders", by=buyer).json["orders"]}
    assert statuses[lost["id"]] == "created", "within the grace period its own timer may still fire"

    world.time.advance(minutes=2)
    world.repair("orders.sweep")
    statuses = {order["id"]: order["status"] for order in world.call("GET", "/api/orders", by=buyer).json["orders"]}
    assert statuses == {lost["id"]: "cancelled", paid["id"]: "awaiting:payment", fresh["id"]: "created"}


def test_only_an_invalid_message_is_retried(world: World, ticket_id: str, buyer: Person) -> None:
    order = place(world, ticket_id, buyer).json
    broken = envelope("payment:authorized", {"metadata": {}, "data": {}})
    answer = world.invoke("orders.listener", sqs_batch(broken, payment("payment:authorized", order)))

    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["message-0"]
    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"] == "awaiting:payment"


def test_a_base64_body_is_decoded(world: World, ticket_id: str, buyer: Person) -> None:
    import base64
    import json

    event = http_event("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer)
    event |= {"body": base64.b64encode(json.dumps({"ticketId": ticket_id}).encode()).decode(), "isBase64Encoded": True}

    assert world.invoke("orders.api", event)["statusCode"] == 201
