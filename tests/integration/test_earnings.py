"""What sellers earn is recorded with the order, follows it, and adds up to the seller's totals."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.payments.earning_store import EarningStore, written
from functions.payments.earnings import Earning, EarningStatus, Operation, OperationKind
from shared.ids import OrderID, UserID
from shared.money import MinorUnits
from shared.pagination import BadCursor
from shared.table import ConditionFailed, Table
from shared.unit_of_work import VersionConflict
from tests.integration.earning import buy, order_event
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

HOLD = timedelta(days=7)


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def store(world: World) -> EarningStore:
    return EarningStore(Table("payments"))


def earning_of(store: EarningStore, order: dict[str, Any]) -> Earning:
    found = store.earning(OrderID(order["id"]))
    assert found
    return found


def change(store: EarningStore, before: Earning, **changes: Any) -> Earning:
    stored = store.replace(before, replace(before, **changes))
    store.commit()
    return stored


@pytest.mark.usefixtures("stripe")
def test_earnings_are_recorded_when_an_order_completes(world: World, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)

    found = earning_of(store, order)
    assert (found.sale.seller_id, found.sale.title) == (seller.id, "A seat")
    assert (found.sale.price, found.sale.fee, found.due) == (1250, 62, 1188)
    assert (found.available_at, found.look_at) == (world.time.now() + HOLD, world.time.now() + HOLD)
    assert (found.shown, store.seller(seller.id).totals) == (EarningStatus.HELD, Counter({("usd", "held"): 1188}))


@pytest.mark.usefixtures("stripe")
def test_a_repeated_event_records_earnings_once(world: World, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)
    before = world.items("payments")

    assert world.deliver(order_event(world, order, "completed", 3), "payments")
    assert world.items("payments") == before


def test_an_order_from_before_the_fee_earns_nothing(world: World, stripe: Stripe, seller: Person) -> None:
    order = buy(world, seller)
    event = order_event(world, order, "completed", 4)
    del event["detail"]["data"]["ticket"]["fee"]
    payments = [item for item in world.items("payments") if item["pk"].startswith("order#")]
    for item in world.items("payments"):
        world.tables.resource.Table("payments").delete_item(Key={"pk": item["pk"]})
    world.tables.resource.Table("payments").put_item(Item=payments[0])

    assert world.deliver(event, "payments")
    assert not [item for item in world.items("payments") if item["pk"].startswith(("earning#", "seller#"))]
    assert len(stripe.intents()) == 1


@pytest.mark.usefixtures("stripe")
def test_earnings_follow_a_refund(world: World, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)
    refund = {"amount": "12.50", "reason": "refunded_at_stripe", "at": "2026-11-23T12:06:00Z"}
    assert world.deliver(order_event(world, order, "refunded", 4, refund=refund), "payments")

    found = earning_of(store, order)
    assert (found.due, found.look_at, found.shown) == (0, None, EarningStatus.CANCELLED)
    assert store.seller(seller.id).totals == Counter({("usd", "cancelled"): 1188, ("usd", "held"): 0})


@pytest.mark.usefixtures("stripe")
def test_a_refund_of_a_part_is_at_the_sellers_expense(world: World, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)
    refund = {"amount": "5.00", "reason": "refunded_at_stripe", "at": "2026-11-23T12:06:00Z"}
    assert world.deliver(order_event(world, order, "completed", 4, refund=refund), "payments")

    assert earning_of(store, order).due == 688
    assert store.seller(seller.id).totals[("usd", EarningStatus.HELD)] == 688


@pytest.mark.usefixtures("stripe")
def test_a_lost_completion_is_made_up_for_by_a_later_event(world: World, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)
    event = order_event(world, order, "refunded", 5, refund={"amount": "12.50", "reason": "dispute_lost"})
    event["detail"]["data"]["refund"]["at"] = "2026-11-23T12:06:00Z"
    world.tables.resource.Table("payments").delete_item(Key={"pk": f"earning#{order['id']}"})

    assert world.deliver(event, "payments")
    assert earning_of(store, order).shown is EarningStatus.CANCELLED


# The store


@pytest.mark.usefixtures("stripe")
def test_what_is_read_is_what_was_written(world: World, store: EarningStore, seller: Person) -> None:
    before = earning_of(store, buy(world, seller))
    now = world.time.now()
    operation = Operation(kind=OperationKind.REVERSAL, number=2, amount=MinorUnits(1188), target="tr_1", leased_at=now)
    changes = {"transferred": MinorUnits(1188), "number": 2, "operation": operation, "paid_at": now}

    stored = change(store, before, **changes)
    assert store.earning(before.sale.order_id) == stored


@pytest.mark.usefixtures("stripe")
def test_a_write_needs_the_revision_that_was_read(world: World, store: EarningStore, seller: Person) -> None:
    before = earning_of(store, buy(world, seller))
    change(store, before, is_blocked=True)

    with pytest.raises(VersionConflict):
        change(store, before, is_blocked=True)
    assert +store.seller(seller.id).totals == Counter({("usd", "blocked"): 1188})


@pytest.mark.usefixtures("stripe")
def test_an_event_is_published_with_the_change(world: World, store: EarningStore, seller: Person) -> None:
    before = earning_of(store, buy(world, seller))
    paid = change(store, before, transferred=MinorUnits(1188))
    change(store, paid, transferred=MinorUnits(1188), reversed=MinorUnits(1188))

    [event] = world.published({"payout:created", "payout:reversed"})
    data = event["detail"]["data"]
    assert (event["detail-type"], data["version"], data["userID"]) == ("payout:reversed", 2, seller.id)
    assert (data["id"], data["amount"], data["currency"]) == (before.sale.order_id, "11.88", "usd")
    assert data["ticket"] == {"id": before.sale.ticket_id, "title": "A seat"}


@pytest.mark.usefixtures("stripe")
def test_totals_are_the_sums_of_a_sellers_earnings(world: World, store: EarningStore, seller: Person) -> None:
    """Whatever happens to them, in which order."""
    found = [earning_of(store, buy(world, seller)) for _ in range(4)]
    world.time.advance(days=8)
    steps: list[dict[str, Any]] = [
        {"waits": True},
        {"waits": False, "is_blocked": True},
        {"is_blocked": False, "transferred": MinorUnits(1188)},
        {"transferred": MinorUnits(1188), "reversed": MinorUnits(500)},
    ]
    for number, step in [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2), (2, 2), (0, 3), (3, 2)]:
        found[number] = change(store, found[number], **steps[step])
        totals = store.seller(seller.id)
        assert +totals.totals == _sums(found)
        assert totals.waiting == sum(each.waits for each in found)


def _sums(found: list[Earning]) -> Counter[tuple[str, EarningStatus]]:
    sums: Counter[tuple[str, EarningStatus]] = Counter()
    for each in found:
        sums[each.sale.currency, each.shown] += each.amount
    return sums


@pytest.mark.usefixtures("stripe")
def test_nothing_is_begun_while_money_is_being_taken_back(world: World, store: EarningStore, seller: Person) -> None:
    owed, other = (earning_of(store, buy(world, seller)) for _ in range(2))
    back = Operation(
        kind=OperationKind.REVERSAL, number=2, amount=MinorUnits(1), target="tr_1", leased_at=world.time.now()
    )
    owed = change(store, owed, transferred=MinorUnits(1188), operation=back)
    assert store.seller(seller.id).reversing == 1

    store.replace(other, replace(other, number=1), unless_reversing=True)
    with pytest.raises(VersionConflict):
        store.commit()
    change(store, owed, operation=None)
    store.replace(other, replace(other, number=1), unless_reversing=True)
    store.commit()
    assert store.seller(seller.id).look_at == world.time.now(), "those that waited for it are looked at"


@pytest.mark.usefixtures("stripe")
def test_earnings_that_wait_are_in_a_partition_of_their_seller(
    world: World, store: EarningStore, seller: Person
) -> None:
    found = earning_of(store, buy(world, seller))
    world.time.advance(days=8)
    assert [look.order_id for look in _due(store, world)] == [found.sale.order_id]

    change(store, found, waits=True)
    assert _due(store, world) == []
    assert store.waiting(seller.id, limit=10) == [found.sale.order_id]
    world.time.advance(hours=1)
    assert [look.seller_id for look in _due(store, world)] == [seller.id]


def _due(store: EarningStore, world: World) -> list[Any]:
    return store.due_looks(world.time.now(), since=None, limit=10)


@pytest.mark.usefixtures("stripe")
def test_looks_at_a_seller_end_when_nothing_waits(world: World, store: EarningStore, seller: Person) -> None:
    found = change(store, earning_of(store, buy(world, seller)), waits=True)
    before = store.seller(seller.id)
    store.look_at_seller(before, world.time.now() + HOLD)
    with pytest.raises(ConditionFailed):
        store.look_at_seller(before, None)

    store.wake_seller(seller.id)
    assert store.seller(seller.id).look_at == world.time.now()
    change(store, found, waits=False)
    store.look_at_seller(store.seller(seller.id), None)
    store.wake_seller(seller.id)
    assert store.seller(seller.id).look_at is None


@pytest.mark.usefixtures("stripe")
def test_the_first_looks_of_all_partitions_come_first(world: World, store: EarningStore, seller: Person) -> None:
    found = []
    for _ in range(5):
        found.append(buy(world, seller)["id"])
        world.time.advance(seconds=1)
    world.time.advance(days=7)

    looks = store.due_looks(world.time.now(), since=None, limit=3)
    assert [look.order_id for look in looks] == found[:3]
    rest = store.due_looks(world.time.now(), since=looks[-1].at, limit=10)
    assert [look.order_id for look in rest] == found[2:]


@pytest.fixture
def pages(world: World, stripe: Stripe, seller: Person) -> list[str]:
    """Return a seller's five orders, the newest first; another seller has one."""
    buy(world, world.person("other@example.com"))
    made = [buy(world, seller)["id"] for _ in range(5)]
    assert len(stripe.intents()) == 6
    return sorted(made, reverse=True)


def test_a_sellers_earnings_are_listed_in_pages(store: EarningStore, seller: Person, pages: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = store.of_seller(seller.id, limit=2, cursor=cursor)
        seen += [each.sale.order_id for each in page.entries]
        cursor = page.next_cursor

    assert (seen, cursor) == (pages, None)
    with pytest.raises(BadCursor):
        store.of_seller(UserID(seller.id), limit=2, cursor="not-a-cursor")


@pytest.mark.usefixtures("stripe")
def test_a_new_record_needs_that_there_is_none(world: World, store: EarningStore, seller: Person) -> None:
    _, put, update = written(None, earning_of(store, buy(world, seller)))
    store.add(put, update)

    with pytest.raises(VersionConflict):
        store.commit()
