"""`Idempotency-Key`: the response to a request is stored in the same transaction as its effect.

A record is first running, then completed, and expires after 24 hours. A running record has a lease that is longer than
the timeout of any function with HTTP routes, so that the key of a dead process becomes usable again.

    IdempotencyError
    ├── KeyReused          the key was used for a different request
    └── InProgress         the first request with the key is still running
        └── Superseded     the lease of this request has expired and another request has taken over
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared import clock
from shared.ids import UserID, new_id
from shared.table import ConditionFailed, Delete, Put, Table, Update

LEASE = timedelta(seconds=30)
RETENTION = timedelta(hours=24)


class IdempotencyError(Exception):
    """Base of the errors of this module: the key cannot be used for this request now."""


class KeyReused(IdempotencyError):
    """The key was used for a different request."""


class InProgress(IdempotencyError):
    """The first request with this key is still running."""


class Superseded(InProgress):
    """The lease of this request has expired and another request with the key has taken over."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as it is stored: HTTP status and JSON body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Identity of a request. The key is scoped to user and route; `fingerprint` is a digest of path and body."""

    user_id: UserID
    route: str
    key: str
    fingerprint: str


@dataclass(slots=True)
class Record:
    """The record of a running request. `is_completed` is True once its response has been stored."""

    table: Table
    key: dict[str, str]
    owner: str
    is_completed: bool = False

    def completion(self, response: StoredResponse) -> Update:
        """Return the write that stores the response, for the transaction of the effect.

        Condition: this request owns the record and no response is stored.
        """
        return Update(
            key=self.key,
            change="SET #status = :status, body = :body",
            condition="#owner = :owner AND attribute_not_exists(#status)",
            values={"status": response.status, "body": response.body, "owner": self.owner},
        )

    def complete(self, response: StoredResponse) -> None:
        """Store the response unless the transaction of the effect has stored it.

        Condition: as in `completion`; if it fails, the stored record is kept.
        """
        if self.is_completed:
            return
        try:
            self.table.write(self.completion(response))
        except ConditionFailed:
            return

    def release(self) -> None:
        """Delete the record, so that the request can be retried.

        Condition: this request owns the record and no response is stored; otherwise the record is kept.
        """
        try:
            self.table.write(
                Delete(
                    key=self.key,
                    condition="#owner = :owner AND attribute_not_exists(#status)",
                    values={"owner": self.owner},
                )
            )
        except ConditionFailed:
            return


@dataclass(frozen=True, slots=True)
class Completion[Result]:
    """How a unit of work completes its request: its record, and the response to be rendered from the result."""

    record: Record
    render: Callable[[Result], StoredResponse]


def begin(table: Table, request: Request) -> Record | StoredResponse:
    """Begin a request: return its record, or the stored response if it was completed before.

    Condition: there is no record, or it has expired (24 hours), or it has no response and its lease has expired.
    Raises KeyReused, InProgress.
    """
    now = clock.now()
    key = {"pk": f"idempotency#{request.user_id}#{request.route}#{request.key}"}
    if table.has_sort_key:
        key["sk"] = "idempotency"
    owner = new_id()
    try:
        table.write(
            Put(
                item=key
                | {
                    "owner": owner,
                    "fingerprint": request.fingerprint,
                    "leaseUntil": clock.to_millis(now + LEASE),
                    "ttl": int((now + RETENTION).timestamp()),
                },
                condition="attribute_not_exists(pk) OR #ttl <= :seconds"
                " OR (attribute_not_exists(#status) AND leaseUntil <= :millis)",
                values={"seconds": int(now.timestamp()), "millis": clock.to_millis(now)},
            )
        )
    except ConditionFailed as failed:
        earlier = failed.items[0] or {}
        if earlier.get("owner") != owner:
            return _stored_response(earlier, request)
    return Record(table, key, owner)


def _stored_response(earlier: dict[str, object], request: Request) -> StoredResponse:
    if earlier["fingerprint"] != request.fingerprint:
        raise KeyReused("this Idempotency-Key was used for another request")
    if "status" not in earlier:
        raise InProgress("the first request with this Idempotency-Key is still running")
    return StoredResponse(status=int(str(earlier["status"])), body=str(earlier["body"]))
