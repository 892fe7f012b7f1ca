"""The Users table: who has signed up, and how often signing in has failed.

    pk user#<userID>                             the user
    pk email#<email>                             whose address it is, and the hash of their password
    pk attempts#<scope>#<digest>#<window>        failed sign-ins in one window, forgotten after it

An address stands in the key of one item, so it can belong to one user. The counters' keys hold digests, for anybody
may try to sign in with the address of somebody who never told us theirs.
"""

from datetime import datetime, timedelta

from functions.auth.attempts import Counter
from functions.auth.user import Account, EmailInUse
from shared import clock
from shared.ids import UserID
from shared.table import Put, Refused, Table, Update

COUNTER_KEPT = timedelta(hours=1)  # beyond its window, so that a try that began inside it can be given back


class UserStore:
    """What Auth keeps."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def account(self, email: str) -> Account | None:
        """The account with this e-mail, by a consistent read: who has just signed up can sign in."""
        item = self._table.get({"pk": f"email#{email}"}, consistent=True)
        if item is None:
            return None
        return Account(id=UserID(item["userID"]), email=item["email"], password_hash=item["passwordHash"])

    def add(self, account: Account, *, created_at: datetime) -> None:
        """Write the new user and their claim on the address. Condition: neither exists. Raises EmailInUse."""
        user = Put(
            item={
                "pk": f"user#{account.id}",
                "id": account.id,
                "email": account.email,
                "createdAt": clock.to_millis(created_at),
            },
            condition="attribute_not_exists(pk)",
        )
        claim = Put(
            item={
                "pk": f"email#{account.email}",
                "userID": account.id,
                "email": account.email,
                "passwordHash": account.password_hash,
            },
            condition="attribute_not_exists(pk)",
        )
        try:
            self._table.write(user, claim)
        except Refused as refused:
            claimed = refused.items[1] or {}
            if claimed.get("userID") != account.id:  # else an earlier try of this very call had landed unseen
                raise EmailInUse("this e-mail is in use") from None

    def replace_hash(self, account: Account, password_hash: str) -> None:
        """Keep another hash of the same password. Condition: the hash is still the account's; else nothing changes."""
        try:
            self._table.write(
                Update(
                    key={"pk": f"email#{account.email}"},
                    change="SET passwordHash = :new",
                    condition="passwordHash = :old",
                    values={"new": password_hash, "old": account.password_hash},
                )
            )
        except Refused:
            return

    def count(self, counter: Counter) -> bool:
        """Count one try, on condition that the counter is below its limit; whether it was."""
        try:
            self._table.write(
                Update(
                    key=_counter_key(counter),
                    change="ADD #count :one SET #ttl = :ttl",
                    condition="attribute_not_exists(#count) OR #count < :limit",
                    values={
                        "one": 1,
                        "limit": counter.limit,
                        "ttl": int((counter.ends + COUNTER_KEPT).timestamp()),
                    },
                )
            )
        except Refused:
            return False
        return True

    def give_back(self, counter: Counter) -> None:
        """Take one counted try off again. Condition: there is one."""
        try:
            self._table.write(
                Update(
                    key=_counter_key(counter),
                    change="ADD #count :less",
                    condition="#count > :none",
                    values={"less": -1, "none": 0},
                )
            )
        except Refused:
            return


def _counter_key(counter: Counter) -> dict[str, str]:
    return {"pk": f"attempts#{counter.name}"}
