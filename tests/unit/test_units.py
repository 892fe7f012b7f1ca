"""DynamoDB's capacity units: the examples of its guide, and the edge cases between them."""

from typing import Any

import pytest

from metering.units import Index, index_write_units, query_units, read_units, size, write_units

KB = 1024
BY_OWNER = Index("by-owner", ("owner",), frozenset({"owner", "pk", "title"}))


def weighing(amount: int, **more: str) -> dict[str, Any]:
    """Return an item of that many bytes."""
    item = {name: {"S": text} for name, text in more.items()}
    return item | {"fill": {"S": "x" * (amount - size(item) - len("fill"))}}


def ticket(**attributes: str) -> dict[str, Any]:
    return {"pk": {"S": "1"}} | {name: {"S": text} for name, text in attributes.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": ""}, 0),
        ({"S": "seat"}, 4),
        ({"S": "Stuhl für Müller"}, 18),
        ({"N": "0"}, 1),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "1000"}, 2),
        ({"N": "1795435200123"}, 8),
        ({"B": b"1234"}, 4),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"S": "bc"}]}, 8),
        ({"M": {}}, 3),
        ({"M": {"id": {"S": "abc"}}}, 9),
    ],
)
def test_a_value_has_the_size_given_in_the_guide(value: dict[str, Any], expected: int) -> None:
    assert size({"name": value}) == len("name") + expected


def test_an_unknown_type_has_no_size() -> None:
    with pytest.raises(ValueError, match="no type X"):
        size({"name": {"X": 1}})


@pytest.mark.parametrize(("amount", "units"), [(0, 1), (3 * KB, 1), (4 * KB, 1), (4 * KB + 1, 2), (10 * KB, 3)])
def test_reads_cost_a_unit_per_4_kb_and_half_if_eventual(amount: int, units: int) -> None:
    assert read_units(amount, consistent=True) == units
    assert read_units(amount, consistent=False) == units / 2


def test_a_query_adds_up_before_it_rounds() -> None:
    """The guide's example: ten items of slightly less than 4 KB make 40 KB, which is ten units."""
    assert query_units([weighing(100)] * 40, consistent=True) == 1
    assert query_units([weighing(4 * KB)] * 10, consistent=True) == 10
    assert query_units([], consistent=False) == 0.5


@pytest.mark.parametrize(("amount", "units"), [(512, 1), (1024, 1), (1025, 2), (3 * KB, 3)])
def test_writes_cost_a_unit_per_kb_and_twice_in_transactions(amount: int, units: int) -> None:
    assert write_units(None, weighing(amount)) == units
    assert write_units(None, weighing(amount), transactional=True) == 2 * units


def test_a_write_costs_the_larger_of_old_and_new_item() -> None:
    assert write_units(weighing(1025), weighing(100)) == 2
    assert write_units(weighing(1025), None) == 2


def test_a_write_of_nothing_costs_one_unit() -> None:
    assert write_units(None, None) == 1


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, ticket(title="a"), 0),
        (None, ticket(owner="ann", title="a"), 1),
        (ticket(owner="ann"), None, 1),
        (ticket(owner="ann"), ticket(), 1),
        (ticket(owner="ann", title="a"), ticket(owner="ann", title="b"), 1),
        (ticket(owner="ann"), ticket(owner="bob"), 2),
        (ticket(owner="ann", seat="1"), ticket(owner="ann", seat="2"), 0),
        (ticket(owner="ann"), ticket(owner="ann"), 0),
    ],
    ids=["not in it", "comes", "goes", "loses its key", "changes", "changes its key", "changes elsewhere", "same"],
)
def test_an_index_is_written_if_its_attributes_change(before: Any, after: Any, units: int) -> None:
    assert index_write_units(BY_OWNER, before, after) == units


def test_an_index_pays_only_for_its_attributes() -> None:
    assert index_write_units(BY_OWNER, None, weighing(5 * KB, owner="ann")) == 1
    everything = Index("all", ("owner",), None)
    assert index_write_units(everything, None, weighing(5 * KB, owner="ann")) == 5


def test_an_index_is_read_from_the_tables_definition() -> None:
    keys = [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}]
    definition = {"IndexName": "i", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    assert Index.of(definition, ["pk"]) == Index("i", ("owner", "id"), frozenset({"owner", "id", "pk"}))

    more = definition | {"Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}}
    assert Index.of(more, ["pk"]) == Index("i", ("owner", "id"), frozenset({"owner", "id", "pk", "title"}))
    assert Index.of(definition | {"Projection": {"ProjectionType": "ALL"}}, ["pk"]).held is None
