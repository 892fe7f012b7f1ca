"""Conditional writes: failed conditions, retries, and writes whose response was lost."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import aws
from shared.table import ATTEMPTS, ConditionFailed, Contention, Delete, Put, Table, Update
from tests.support.world import World

KEY = {"pk": "a"}


@pytest.fixture
def table(world: World) -> Table:
    return Table("tickets")


class Faulty:
    """DynamoDB client whose writes fail a given number of times, before or after they have their effect."""

    def __init__(
        self, code: str, times: int, *, after: bool = False, reasons: list[dict[str, str]] | None = None
    ) -> None:
        self.real = aws.dynamodb()
        self.exceptions = self.real.exceptions
        self.code, self.times, self.after, self.reasons = code, times, after, reasons
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.real, name)

        def call(**request: Any) -> Any:
            self.calls += 1
            failing = self.calls <= self.times
            if failing and not self.after:
                raise self.error(name)
            answer = real(**request)
            if failing:
                return real(**request)  # as the SDK does when the response was lost
            return answer

        return call

    def error(self, operation: str) -> ClientError:
        response: Any = {"Error": {"Code": self.code, "Message": "injected"}}
        if self.reasons:
            response["CancellationReasons"] = self.reasons
            return self.exceptions.TransactionCanceledException(response, operation)
        return ClientError(response, operation)


def fault(monkeypatch: pytest.MonkeyPatch, *args: Any, **kwargs: Any) -> Faulty:
    client = Faulty(*args, **kwargs)
    monkeypatch.setattr(aws, "dynamodb", lambda: client)
    return client


def test_a_failed_condition_returns_the_existing_item(table: Table) -> None:
    table.write(Put(item=KEY | {"n": 1}))
    with pytest.raises(ConditionFailed) as refused:
        table.write(Update(key=KEY, change="SET n = :n", condition="n = :old", values={"n": 3, "old": 2}))

    assert refused.value.items == ({"pk": "a", "n": 1},)


def test_a_transaction_is_atomic_and_names_the_failed_write(table: Table) -> None:
    table.write(Put(item=KEY | {"n": 1}))
    with pytest.raises(ConditionFailed) as refused:
        table.write(Put(item={"pk": "b"}), Put(item=KEY | {"n": 2}, condition="attribute_not_exists(pk)"))

    assert refused.value.items == (None, {"pk": "a", "n": 1})
    assert table.get({"pk": "b"}) is None


def test_a_delete_can_have_a_condition(table: Table) -> None:
    table.write(Put(item=KEY | {"n": 1}))
    with pytest.raises(ConditionFailed):
        table.write(Delete(key=KEY, condition="n = :n", values={"n": 2}))
    table.write(Delete(key=KEY, condition="n = :n", values={"n": 1}))

    assert table.get(KEY) is None


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "TransactionConflictException"]
)
def test_a_throttled_write_is_retried(table: Table, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    fault(monkeypatch, code, 2)
    table.write(Put(item=KEY | {"n": 1}))

    assert table.get(KEY) == {"pk": "a", "n": 1}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_conflicting_transaction_is_retried(table: Table, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    fault(monkeypatch, "TransactionCanceledException", 2, reasons=[{"Code": code}, {"Code": "None"}])
    table.write(Put(item=KEY), Put(item={"pk": "b"}))

    assert table.get(KEY)
    assert table.get({"pk": "b"})


def test_retries_end_with_contention(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    client = fault(monkeypatch, "ThrottlingException", 100)
    with pytest.raises(Contention):
        table.write(Put(item=KEY))

    assert client.calls == ATTEMPTS


def test_another_error_is_raised_without_retry(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    client = fault(monkeypatch, "ValidationException", 1)
    with pytest.raises(ClientError):
        table.write(Put(item=KEY))

    assert client.calls == 1


def test_a_repeated_write_is_recognised_by_its_event(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one was applied, but its response was lost."""
    fault(monkeypatch, "", 1, after=True)
    entry = {"id": "e1", "type": "t", "detail": "{}"}
    table.write(Put(item=KEY | {"event": entry}, condition="attribute_not_exists(pk)"))

    with pytest.raises(ConditionFailed):
        table.write(Put(item=KEY | {"event": entry | {"id": "e2"}}, condition="attribute_not_exists(pk)"))


def test_a_repeated_transaction_is_recognised_by_its_event(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one was applied, but its response was lost."""
    fault(monkeypatch, "", 1, after=True)
    new = "attribute_not_exists(pk)"
    entry = {"id": "e1", "type": "t", "detail": "{}"}
    table.write(Put(item={"pk": "b"}, condition=new), Put(item=KEY | {"event": entry}, condition=new))

    with pytest.raises(ConditionFailed):
        table.write(
            Put(item={"pk": "b"}, condition=new), Put(item=KEY | {"event": entry | {"id": "e2"}}, condition=new)
        )


def test_a_batch_has_the_order_of_its_keys_without_missing_items(table: Table) -> None:
    for number in range(120):
        table.write(Put(item={"pk": str(number)}))
    keys = [{"pk": str(number)} for number in range(119, -1, -1)]

    assert [*table.get_all([{"pk": "none"}, *keys])] == keys


def test_what_dynamodb_leaves_out_of_a_batch_is_read_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [{"pk": "a"}, {"pk": "b"}]
    for key in keys:
        table.write(Put(item=key))
    real = aws.dynamodb()
    sizes = []

    class Busy:
        def batch_get_item(self, RequestItems: Any) -> Any:
            asked = RequestItems["tickets"]["Keys"]
            sizes.append(len(asked))
            left = {"tickets": {"Keys": asked[1:]}} if asked[1:] else {}
            return real.batch_get_item(RequestItems={"tickets": {"Keys": asked[:1]}}) | {"UnprocessedKeys": left}

    monkeypatch.setattr(aws, "dynamodb", Busy)
    assert [*table.get_all(keys)] == keys
    assert sizes == [2, 1]
