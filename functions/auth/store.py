"""The Users table: users, and counters of failed sign-ins.

    pk user#<userID>                             the user
    pk email#<email>                             the address's user id and password hash
    pk attempts#<scope>#<digest>#<window>        failed sign-ins in one window; expires by TTL

The address is the key of one item, so it can belong to one user only. The keys of counters contain digests, since an
attempt may use the address of a person who has no account, and such addresses must not be stored.
"""

from datetime import datetime, timedelta

from functions.auth.rate_limit import Counter
from functions.auth.user import Account, EmailInUse
from shared import clock
from shared.ids import UserID
from shared.table import ConditionFailed, Put, Table, Update

COUNTER_KEPT = timedelta(hours=1)  # after its window, so that an attempt from within the window can still be undone


class UserStore:
    """Reads and writes the items of Auth."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def account(self, email: str) -> Account | None:
        """Return the account with this e-mail, or None. The read is consistent: a new user can sign in at once."""
        item = self._table.get({"pk": f"email#{email}"}, consistent=True)
        if item is None:
            return None
        return Account(id=UserID(item["userID"]), email=item["email"], password_hash=item["passwordHash"])

    def add(self, account: Account, *, created_at: datetime) -> None:
        """Write the user and the address in one transaction. Condition: neither exists; otherwise raises EmailInUse."""
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
        except ConditionFailed as refused:
            claimed = refused.items[1] or {}
            if claimed.get("userID") != account.id:  # else an earlier attempt of this call succeeded
                raise EmailInUse("this e-mail is in use") from None

    def replace_hash(self, account: Account, password_hash: str) -> None:
        """Replace the hash. Condition: the stored hash is the account's; otherwise nothing is written."""
        try:
            self._table.write(
                Update(
                    key={"pk": f"email#{account.email}"},
                    change="SET passwordHash = :new",
                    condition="passwordHash = :old",
                    values={"new": password_hash, "old": account.password_hash},
                )
            )
        except ConditionFailed:
            return

    def count(self, counter: Counter) -> bool:
        """Add one attempt. Condition: the counter is below its limit; returns False if it is not."""
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
        except ConditionFailed:
            return False
        return True

    def give_back(self, counter: Counter) -> None:
        """Remove one attempt. Condition: the counter is above zero; otherwise nothing is written."""
        try:
            self._table.write(
                Update(
                    key=_counter_key(counter),
                    change="ADD #count :less",
                    condition="#count > :none",
                    values={"less": -1, "none": 0},
                )
            )
        except ConditionFailed:
            return


def _counter_key(counter: Counter) -> dict[str, str]:
    return {"pk": f"attempts#{counter.name}"}
