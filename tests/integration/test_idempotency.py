"""`Idempotency-Key`: one effect and one response, at whatever point a process dies."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import idempotency
from shared.idempotency import Completion, InProgress, KeyReused, Record, Request, StoredResponse, Superseded
from shared.ids import UserID
from shared.table import Put, Table
from shared.unit_of_work import UnitOfWork, VersionConflict
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


def commit(table: Table, record: Record, response: StoredResponse, effect: Put = EFFECT) -> None:
    work = UnitOfWork(table, Completion[str](record, lambda _result: response))
    work.add(effect)
    work.commit("a result")


def test_a_running_call_refuses_a_second_one(table: Table) -> None:
    begin(table)

    with pytest.raises(InProgress):
        idempotency.begin(table, REQUEST)


def test_the_response_is_written_in_the_effects_transaction(table: Table) -> None:
    commit(table, begin(table), StoredResponse(201, "{}"))

    assert table.get({"pk": "effect", "sk": "effect"})
    assert idempotency.begin(table, REQUEST) == StoredResponse(201, "{}")


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
        commit(table, slow, StoredResponse(201, "{}"))
    assert table.get({"pk": "effect", "sk": "effect"}) is None


def test_a_released_key_can_be_used_again(table: Table) -> None:
    begin(table).release()

    assert isinstance(idempotency.begin(table, REQUEST), Record)


def test_a_stored_response_survives_release_and_finish(table: Table) -> None:
    record = begin(table)
    table.write(EFFECT, record.completion(StoredResponse(201, "first")))  # as if the response were lost
    record.release()
    record.complete(StoredResponse(500, "second"))

    assert idempotency.begin(table, REQUEST) == StoredResponse(201, "first")


def test_a_response_known_to_be_stored_is_not_written_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    record = begin(table)
    commit(table, record, StoredResponse(201, "{}"))
    monkeypatch.setattr(Table, "write", None)

    record.complete(StoredResponse(201, "{}"))


def test_finish_stores_a_response_after_a_failed_transaction(table: Table) -> None:
    table.write(EFFECT)
    record = begin(table)
    with pytest.raises(VersionConflict):
        commit(table, record, StoredResponse(201, "never"), replace(EFFECT, condition="attribute_not_exists(pk)"))

    record.complete(StoredResponse(200, "in the end"))

    assert idempotency.begin(table, REQUEST) == StoredResponse(200, "in the end")


def test_a_key_expires_after_a_day(table: Table, world: World) -> None:
    begin(table).complete(StoredResponse(201, "{}"))
    world.time.advance(seconds=idempotency.RETENTION.total_seconds() - 1)
    assert idempotency.begin(table, REQUEST) == StoredResponse(201, "{}")

    world.time.advance(seconds=timedelta(seconds=1).total_seconds())
    assert isinstance(idempotency.begin(table, REQUEST), Record)


def test_another_request_under_the_key_is_refused(table: Table) -> None:
    """It is refused even while the first request runs."""
    begin(table)
    other = Request(user_id=REQUEST.user_id, route=REQUEST.route, key=REQUEST.key, fingerprint="other")

    with pytest.raises(KeyReused):
        idempotency.begin(table, other)
