"""moto's DynamoDB without repeated work, which takes a third of a run's time. Active only inside `quick()`."""

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.validators import (
    ActionCountValidator,
    OverlappingPathsValidator,
    UpdateExpressionValidator,
)

touched: set[str] = set()
"""The partitions that the current transaction writes to; the caller sets them before."""

_parse: Any = cache(UpdateExpressionParser.make)
_checks: Any = UpdateExpressionValidator.get_ast_processors


@contextmanager
def quick() -> Iterator[None]:
    """Patch moto. For one run at a time."""
    with ExitStack() as patches:
        for owner, name, instead in (
            (Table, "__deepcopy__", _copy_of_table),
            (UpdateExpressionParser, "make", _parse),
            (UpdateExpressionValidator, "get_ast_processors", _checks_of_items),
            (DepthFirstTraverser, "nodes_to_be_processed", lambda traverser: _kinds_of_nodes(type(traverser))),  # type: ignore[arg-type]
        ):
            patches.enter_context(patch.object(owner, name, instead, create=True))
        yield


def _copy_of_table(table: Table, _memo: object) -> Table:
    """Copy only the items that may change; moto copies the whole table for each write of a transaction."""
    kept = copy.copy(table)
    kept.items = defaultdict(dict)
    for partition, items in table.items.items():
        kept.items[partition] = copy.deepcopy(items) if partition.value in touched else items
    return kept


def _checks_of_items(validator: UpdateExpressionValidator) -> list[Any]:
    """The checks except those of an expression's form, which does not change: tests/integration runs them all."""
    of_form = ActionCountValidator, OverlappingPathsValidator
    return [check for check in _checks(validator) if not isinstance(check, of_form)]


@cache
def _kinds_of_nodes(traverser: type[Any]) -> tuple[type, ...]:
    """The node types, cached; moto lists them for each node of an expression."""
    return tuple(traverser._processing_map(traverser))
