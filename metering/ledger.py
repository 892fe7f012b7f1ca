"""Records the functions' calls to AWS and Stripe, and what they log, while they run on moto.

It hooks into botocore, below all clients. DynamoDB's request units are computed from the items: each written item is
read before and after the call.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from logging import StreamHandler
from typing import Any, Protocol
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from metering.units import Index, Item, index_write_units, query_units, read_units, size, write_units

LOG_LINE_OVERHEAD = 26
"""Bytes that CloudWatch adds to each log event (CloudWatch Logs API Reference, "PutLogEvents")."""

REFUSALS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})
SINGLE_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})


class ItemReader(Protocol):
    """Access to the items; `definitions` are each table's keys and indexes."""

    definitions: dict[str, dict[str, Any]]

    def item(self, service: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """One item in attribute-value form."""


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of a write on one item: its state before and after."""

    table: str
    before: Item | None
    after: Item | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredCall:
    """One call to AWS: `GetItem`.

    Reads and writes are DynamoDB's request units, those of indexes by the index's name; `events` are the entries of
    PutEvents.
    """

    service: str
    operation: str
    reads: float = 0.0
    table_writes: int = 0
    index_writes: Counter[str] = field(default_factory=Counter)
    changes: tuple[Change, ...] = ()
    events: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class Run:
    """One run of a function (`orders.api`), with its trigger (`POST /api/orders`, `order:created`).

    `log_bytes` is the size of its log lines as CloudWatch counts it.
    """

    function: str
    trigger: str
    calls: list[MeteredCall] = field(default_factory=list)
    stripe_calls: list[str] = field(default_factory=list)
    log_bytes: int = 0

    @property
    def operations(self) -> list[str]:
        """The names of the calls, in order."""
        return [call.operation for call in self.calls]

    @property
    def reads(self) -> float:
        """Read units."""
        return sum((call.reads for call in self.calls), 0.0)

    @property
    def table_writes(self) -> int:
        """Write units of the table itself."""
        return sum(call.table_writes for call in self.calls)

    @property
    def index_writes(self) -> Counter[str]:
        """Write units of each index."""
        return sum((call.index_writes for call in self.calls), Counter[str]())

    @property
    def writes(self) -> int:
        """Write units, including those of the indexes."""
        return self.table_writes + self.index_writes.total()


class Ledger:
    """The recorded runs.

    `stripe_calls` is the list to which the local Stripe's transport appends each call, `log` the handler that writes
    the functions' log lines. Their metrics go to stdout.
    """

    def __init__(self, tables: ItemReader, stripe_calls: list[str], log: StreamHandler[Any]) -> None:
        self.runs: list[Run] = []
        self._running: list[Run] = []
        self._tables = tables
        self._stripe_calls = stripe_calls
        self._log = log
        self._is_reading = False

    @contextmanager
    def run(self, function: str, trigger: str) -> Iterator[Run]:
        """Record the calls made inside as one run; a nested run, while the outer one waits, is recorded separately."""
        run = Run(function, trigger)
        self.runs.append(run)
        self._running.append(run)
        stripe_before = len(self._stripe_calls)
        make_call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001  # no public hook sees all calls

        def recorded(client: Any, operation: str, request: dict[str, Any]) -> Any:
            if self._is_reading or self._running[-1] is not run:
                return make_call(client, operation, request)
            return self._record(run, client, operation, request, lambda: make_call(client, operation, request))

        try:
            with patch.object(BaseClient, "_make_api_call", recorded), self._logs_counted(run):
                yield run
        finally:
            self._running.pop()
            run.stripe_calls = self._stripe_calls[stripe_before:]

    @contextmanager
    def _logs_counted(self, run: Run) -> Iterator[None]:
        lines = StringIO()
        before = self._log.setStream(lines)
        try:
            with redirect_stdout(lines):
                yield
        finally:
            self._log.setStream(before)
            run.log_bytes = sum(len(line.encode()) + LOG_LINE_OVERHEAD for line in lines.getvalue().splitlines())

    def _record(self, run: Run, client: Any, operation: str, request: dict[str, Any], make: Any) -> Any:
        service = client.meta.service_model.service_name
        targets = list(self._targets(operation, request))
        before = [self._read(table, key) for table, key, _ in targets]
        transactional = operation == "TransactWriteItems"
        try:
            answer = make()
        except ClientError as error:
            units = 0
            if error.response["Error"]["Code"] in REFUSALS:
                images = zip(before, (put for _, _, put in targets), strict=True)
                units = sum(write_units(old, put, transactional=transactional) for old, put in images)
            run.calls.append(MeteredCall(service=service, operation=operation, table_writes=units))
            raise
        changes = tuple(
            Change(table, old, self._read(table, key)) for (table, key, _), old in zip(targets, before, strict=True)
        )
        run.calls.append(
            MeteredCall(
                service=service,
                operation=operation,
                reads=_reads(operation, request, answer),
                table_writes=sum(write_units(each.before, each.after, transactional=transactional) for each in changes),
                index_writes=self._index_writes(changes),
                changes=changes,
                events=tuple(request.get("Entries", ())) if operation == "PutEvents" else (),
            )
        )
        return answer

    def _targets(self, operation: str, request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Item | None]]:
        """Each item that the call writes: its table, its key, and the whole item if it is put."""
        if operation == "TransactWriteItems":
            writes = [write for item in request["TransactItems"] for write in item.values()]
        else:
            writes = [request] if operation in SINGLE_WRITES else []
        for write in writes:
            table, put = write["TableName"], write.get("Item")
            yield table, {name: put[name] for name in self._keys(table)} if put else write["Key"], put

    def _read(self, table: str, key: dict[str, Any]) -> Item | None:
        self._is_reading = True
        try:
            return self._tables.item(table, key)
        finally:
            self._is_reading = False

    def _keys(self, table: str) -> list[str]:
        return [key["AttributeName"] for key in self._tables.definitions[table]["KeySchema"]]

    def _index_writes(self, changes: Iterable[Change]) -> Counter[str]:
        units = Counter[str]()
        for change in changes:
            for defined in self._tables.definitions[change.table].get("GlobalSecondaryIndexes", []):
                index = Index.of(defined, self._keys(change.table))
                units[index.name] += index_write_units(index, change.before, change.after)
        return +units


def _batch_reads(request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """The read units of a batch: each item is charged as if it were read alone, one that does not exist too."""
    if any(table.get("ConsistentRead") for table in request["RequestItems"].values()):
        raise ValueError("the ledger cannot count a batch of consistent reads")
    found = [item for items in answer["Responses"].values() for item in items]
    missing = sum(len(table["Keys"]) for table in request["RequestItems"].values()) - len(found)
    return sum(read_units(size(item), consistent=False) for item in [*found, *[{}] * missing])


def _reads(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """The read units of a successful call."""
    consistent = bool(request.get("ConsistentRead"))
    match operation:
        case "GetItem":
            return read_units(size(answer.get("Item", {})), consistent=consistent)
        case "Query":
            if "FilterExpression" in request:
                raise ValueError("a filter hides items that were read and charged")
            return query_units(answer["Items"], consistent=consistent)
        case "BatchGetItem":
            return _batch_reads(request, answer)
        case "Scan" | "TransactGetItems":
            raise ValueError(f"the ledger cannot count {operation}")
        case _:
            return 0.0
