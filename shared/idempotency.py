"""`Idempotency-Key`: the answer to a request is remembered in the very transaction that has its effect.

A record goes from running (with a lease longer than any function may run, so that a dead process frees its key) to
answered, and is forgotten after 24 hours.

    IdempotencyError
    ├── KeyReused      the same key came with another request
    ├── InProgress     the first call with this key is still running
    └── Superseded     our lease ran out and another call has taken over
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from shared import clock
from shared.ids import UserID, new_id
from shared.table import Delete, Put, Refused, Table, Update

LEASE = timedelta(seconds=30)
REMEMBERED = timedelta(hours=24)


class IdempotencyError(Exception):
    """The key cannot be used for this request now."""


class KeyReused(IdempotencyError):
    """The same key came with another request."""


class InProgress(IdempotencyError):
    """The first call with this key is still running."""


class Superseded(InProgress):
    """This call's lease ran out and another call with the key has taken over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: HTTP status and JSON body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the key's scope sees it: whose it is, which route, which key, and a digest of all it asks for."""

    user_id: UserID
    route: str
    key: str
    fingerprint: str


@dataclass(slots=True)
class Record:
    """The record of a request that has begun; `is_answered` once its answer is known to be kept."""

    table: Table
    key: dict[str, str]
    owner: str
    is_answered: bool = False

    def remember(self, answer: Answer) -> Update:
        """The write that keeps the answer; it belongs into the effect's transaction. Raises Superseded there."""
        return Update(
            key=self.key,
            change="SET #status = :status, body = :body",
            condition="#owner = :owner AND attribute_not_exists(#status)",
            values={"status": answer.status, "body": answer.body, "owner": self.owner},
            refusal=Superseded("another call with this Idempotency-Key has taken over"),
            made=self._answered,
        )

    def finish(self, answer: Answer) -> None:
        """Keep the answer, unless the effect's transaction has kept it already."""
        if self.is_answered:
            return
        try:
            self.table.write(replace(self.remember(answer), refusal=None))
        except Refused:
            return

    def release(self) -> None:
        """Forget the call, so that it can be made again; an answer that was remembered stays."""
        try:
            self.table.write(
                Delete(
                    key=self.key,
                    condition="#owner = :owner AND attribute_not_exists(#status)",
                    values={"owner": self.owner},
                )
            )
        except Refused:
            return

    def _answered(self) -> None:
        self.is_answered = True


def begin(table: Table, request: Request) -> Record | Answer:
    """Begin the request, or give the answer it had before.

    Raises KeyReused or InProgress. The condition: no record, or one that is past its 24 hours, or one that
    has no answer and whose lease ran out.
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
                    "ttl": int((now + REMEMBERED).timestamp()),
                },
                condition="attribute_not_exists(pk) OR #ttl <= :seconds"
                " OR (attribute_not_exists(#status) AND leaseUntil <= :millis)",
                values={"seconds": int(now.timestamp()), "millis": clock.to_millis(now)},
            )
        )
    except Refused as refused:
        earlier = refused.items[0] or {}
        if earlier.get("owner") != owner:
            return _answer(earlier, request)
    return Record(table, key, owner)


def _answer(earlier: dict[str, object], request: Request) -> Answer:
    if earlier["fingerprint"] != request.fingerprint:
        raise KeyReused("this Idempotency-Key was used for another request")
    if "status" not in earlier:
        raise InProgress("the first request with this Idempotency-Key is still running")
    return Answer(status=int(str(earlier["status"])), body=str(earlier["body"]))
