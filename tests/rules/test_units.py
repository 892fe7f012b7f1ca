"""How DynamoDB counts: the examples of its guide, and the edges between them."""

from typing import Any

import pytest

from benchmarks.units import Index, index_write_units, query_units, read_units, size, write_units

KB = 1024
BY_OWNER = Index("by-owner", ("owner",), frozenset({"owner", "pk", "title"}))


def weighing(amount: int, **more: str) -> dict[str, Any]:
    """An item of that many bytes."""
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
def test_a_value_has_the_size_that_the_guide_gives(value: dict[str, Any], expected: int) -> None:
    assert size({"name": value}) == len("name") + expected


def test_a_type_that_does_not_exist_has_no_size() -> None:
    with pytest.raises(ValueError, match="no type X"):
        size({"name": {"X": 1}})


@pytest.mark.parametrize(("amount", "units"), [(0, 1), (3 * KB, 1), (4 * KB, 1), (4 * KB + 1, 2), (10 * KB, 3)])
def test_a_consistent_read_costs_a_unit_for_each_4_kb_and_an_eventual_one_half(amount: int, units: int) -> None:
    assert read_units(amount, consistent=True) == units
    assert read_units(amount, consistent=False) == units / 2


def test_a_query_adds_up_before_it_rounds() -> None:
    """The guide's example: ten items of 4 KB less a little make 40 KB, which is ten units."""
    assert query_units([weighing(100)] * 40, consistent=True) == 1
    assert query_units([weighing(4 * KB)] * 10, consistent=True) == 10
    assert query_units([], consistent=False) == 0.5


@pytest.mark.parametrize(("amount", "units"), [(512, 1), (1024, 1), (1025, 2), (3 * KB, 3)])
def test_a_write_costs_a_unit_for_each_kb_and_a_transactional_one_twice_that(amount: int, units: int) -> None:
    assert write_units(None, weighing(amount)) == units
    assert write_units(None, weighing(amount), transactional=True) == 2 * units


def test_a_write_is_as_dear_as_the_larger_of_what_was_and_what_is() -> None:
    assert write_units(weighing(1025), weighing(100)) == 2
    assert write_units(weighing(1025), None) == 2


def test_a_write_of_nothing_costs_as_the_smallest() -> None:
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
def test_an_index_is_written_where_what_it_holds_changes(before: Any, after: Any, units: int) -> None:
    assert index_write_units(BY_OWNER, before, after) == units


def test_an_index_pays_for_what_it_holds_and_not_for_the_rest() -> None:
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
