"""A unit of work: the conditional writes of one state change, committed in one transaction.

The store of a service is its unit of work: its write methods add conditional writes, and `commit` performs them all or
none. For a request with an `Idempotency-Key`, the record with the response is part of the transaction, so the response
is stored if and only if the effect took place.

    @retry_on_conflict()
    def cancel_order(store: OrderStore, user_id: UserID, order_id: OrderID) -> None:
        order = store.order(user_id, order_id)
        cancelled = order.cancel()
        store.replace_order(order, cancelled)
        store.commit(cancelled)
"""

from collections.abc import Callable, Sequence
from functools import wraps

from shared.idempotency import Completion, Superseded
from shared.table import ConditionFailed, Contention, Item, Table, Write

MAX_ATTEMPTS = 10


class VersionConflict(Contention):
    """A condition did not hold: another write came first. Nothing was written; read again and decide again.

    `items` has one entry per write, in the order in which they were added: the current item if the condition of this
    write failed (empty if no item exists), else None. It is empty if the conflict was noticed before the write.
    """

    def __init__(self, items: Sequence[Item | None] = ()) -> None:
        super().__init__("it is being changed by others at the moment; try again")
        self.items = tuple(items)


class UnitOfWork[Result]:
    """Collects conditional writes to a table and commits them in one transaction.

    `completion` completes the request with the result of the work; None for work without an `Idempotency-Key`.
    """

    def __init__(self, table: Table, completion: Completion[Result] | None = None) -> None:
        self.table = table
        self._completion = completion
        self._writes: list[Write] = []

    def add(self, *writes: Write) -> None:
        """Add writes to the transaction."""
        self._writes += writes

    def commit(self, result: Result | None = None) -> None:
        """Perform the added writes, all or none, and start a new unit of work.

        `result` is the result of the use case: the response rendered from it completes the request in the same
        transaction. Omit it if the request has further steps. Raises VersionConflict if a condition did not hold,
        Superseded if only that of the request's record did not, Contention.
        """
        writes, self._writes = self._writes, []
        completion = self._completion
        if completion is None or result is None:
            self._write(writes)
            return
        self._write([*writes, completion.record.completion(completion.render(result))], is_completing=True)
        completion.record.is_completed = True

    def _write(self, writes: Sequence[Write], *, is_completing: bool = False) -> None:
        try:
            self.table.write(*writes)
        except ConditionFailed as failed:
            *items, record = failed.items
            if is_completing and record is not None and not any(item is not None for item in items):
                raise Superseded("another request with this Idempotency-Key has taken over") from None
            raise VersionConflict(failed.items) from None


def retry_on_conflict[**P, R](attempts: int = MAX_ATTEMPTS) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Repeat a function that reads, decides and commits, while it raises VersionConflict.

    `attempts` is the total number of calls; VersionConflict of the last one is raised to the caller.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def retry(*args: P.args, **kwargs: P.kwargs) -> R:
            for _ in range(attempts - 1):
                try:
                    return function(*args, **kwargs)
                except VersionConflict:
                    continue
            return function(*args, **kwargs)

        return retry

    return decorate
