"""`Idempotency-Key`: one effect and one response, at whatever point a process dies."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import idempotency
from shared.idempotency import Answer, InProgress, KeyReused, Record, Request, Superseded
from shared.ids import UserID
from shared.table import ConditionFailed, Put, Table
from tests.support.world import World

REQUEST = Request(user_id=UserID("user"), route="POST /api/orders", key="key", fingerprint="f")
EFFECT = Put(item={"pk": "effect", "sk": "effect"})


@pytest.fixture
def table(world: World) -> Table:
    return Table("orders", has_sort_key=True)


def begin(table: Table, request: Request = REQUEST) -> Record:
    record = idempotency.begin(table, request)
    assert isinstance(record, Record)
    return record


def test_a_running_call_refuses_a_second_one(table: Table) -> None:
    begin(table)

    with pytest.raises(InProgress):
        idempotency.begin(table, REQUEST)


def test_the_response_is_written_in_the_effects_transaction(table: Table) -> None:
    table.write(EFFECT, begin(table).remember(Answer(201, "{}")))

    assert table.get({"pk": "effect", "sk": "effect"})
    assert idempotency.begin(table, REQUEST) == Answer(201, "{}")


def test_the_key_of_a_dead_process_is_free_after_its_lease(table: Table, world: World) -> None:
    begin(table)
    world.time.advance(seconds=idempotency.LEASE.total_seconds() - 0.001)
    with pytest.raises(InProgress):
        idempotency.begin(table, REQUEST)

    world.time.advance(milliseconds=1)
    assert isinstance(idempotency.begin(table, REQUEST), Record)


def test_a_superseded_call_has_no_effect(table: Table, world: World) -> None:
    slow = begin(table)
    world.time.advance(seconds=idempotency.LEASE.total_seconds())
    begin(table)

    with pytest.raises(Superseded):
        table.write(EFFECT, slow.remember(Answer(201, "{}")))
    assert table.get({"pk": "effect", "sk": "effect"}) is None


def test_a_released_key_can_be_used_again(table: Table) -> None:
    begin(table).release()

    assert isinstance(idempotency.begin(table, REQUEST), Record)


def test_a_stored_response_survives_release_and_finish(table: Table) -> None:
    record = begin(table)
    table.write(EFFECT, replace(record.remember(Answer(201, "first")), made=None))  # as if the response were lost
    record.release()
    record.finish(Answer(500, "second"))

    assert idempotency.begin(table, REQUEST) == Answer(201, "first")


def test_a_response_known_to_be_stored_is_not_written_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    record = begin(table)
    table.write(EFFECT, record.remember(Answer(201, "{}")))
    monkeypatch.setattr(Table, "write", None)

    record.finish(Answer(201, "{}"))


def test_finish_stores_a_response_after_a_failed_transaction(table: Table) -> None:
    table.write(EFFECT)
    record = begin(table)
    with pytest.raises(ConditionFailed):
        table.write(replace(EFFECT, condition="attribute_not_exists(pk)"), record.remember(Answer(201, "never")))

    record.finish(Answer(200, "in the end"))

    assert idempotency.begin(table, REQUEST) == Answer(200, "in the end")


def test_a_key_expires_after_a_day(table: Table, world: World) -> None:
    begin(table).finish(Answer(201, "{}"))
    world.time.advance(seconds=idempotency.REMEMBERED.total_seconds() - 1)
    assert idempotency.begin(table, REQUEST) == Answer(201, "{}")

    world.time.advance(seconds=timedelta(seconds=1).total_seconds())
    assert isinstance(idempotency.begin(table, REQUEST), Record)


def test_another_request_under_the_key_is_refused(table: Table) -> None:
    """It is refused even while the first request runs."""
    begin(table)
    other = Request(user_id=REQUEST.user_id, route=REQUEST.route, key=REQUEST.key, fingerprint="other")

    with pytest.raises(KeyReused):
        idempotency.begin(table, other)
