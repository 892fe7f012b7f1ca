"""The accounts of sellers in the Payments table: one item for each user who has begun to connect one.

    pk account#<userID>    the account at Stripe, or the attempt to create it

Every write is conditional on the item's revision, or on the item's absence. Attributes of others are left as they are.
"""

from dataclasses import replace

from functions.payments.connected_account import AccountStatus, ConnectedAccount
from shared import clock
from shared.ids import UserID
from shared.table import Item, Update
from shared.unit_of_work import UnitOfWork


class AccountStore(UnitOfWork[ConnectedAccount]):
    """Reads and writes the accounts of sellers."""

    def account(self, user_id: UserID) -> ConnectedAccount | None:
        """Return the user's account, by a consistent read; None if the user has begun none."""
        item = self.table.get(_key(user_id), consistent=True)
        return _to_account(item) if item and "attempt" in item else None

    def insert(self, account: ConnectedAccount) -> ConnectedAccount:
        """Add the first attempt of a user, and return it as it will be stored. Condition: the user has begun none."""
        stored = replace(account, revision=1)
        self.add(_update(stored, condition="attribute_not_exists(attempt)"))
        return stored

    def replace(self, before: ConnectedAccount, after: ConnectedAccount) -> ConnectedAccount:
        """Add the account's next state, and return it as it will be stored.

        The revision rises by one. Condition: the item has the revision of `before`.
        """
        stored = replace(after, revision=before.revision + 1)
        self.add(_update(stored, condition="#revision = :before", before=before.revision))
        return stored


def _key(user_id: UserID) -> dict[str, str]:
    return {"pk": f"account#{user_id}"}


def _update(account: ConnectedAccount, *, condition: str, **values: int) -> Update:
    """Set the account's attributes, and remove those that it has no longer."""
    attributes = _attributes(account)
    kept = {name: value for name, value in attributes.items() if value is not None}
    gone = [name for name, value in attributes.items() if value is None]
    change = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
    if gone:
        change += " REMOVE " + ", ".join(f"#{name}" for name in gone)
    return Update(key=_key(account.user_id), change=change, condition=condition, values=kept | values)


def _attributes(account: ConnectedAccount) -> Item:
    return {
        "userID": account.user_id,
        "attempt": account.attempt,
        "beganAt": clock.to_millis(account.began_at),
        "stripeAccount": account.stripe_id,
        "accountStatus": account.status,
        "requirements": {text: number for number, text in enumerate(account.requirements)} or None,
        "closed": account.is_closed or None,
        "rejected": account.is_rejected or None,
        "readAt": None if account.read_at is None else clock.to_millis(account.read_at),
        "revision": account.revision,
    }


def _to_account(item: Item) -> ConnectedAccount:
    requirements = item.get("requirements", {})
    return ConnectedAccount(
        user_id=UserID(item["userID"]),
        attempt=item["attempt"],
        began_at=clock.from_millis(item["beganAt"]),
        stripe_id=item.get("stripeAccount"),
        is_closed=item.get("closed", False),
        is_rejected=item.get("rejected", False),
        status=AccountStatus(item["accountStatus"]),
        requirements=tuple(sorted(requirements, key=requirements.__getitem__)),
        read_at=clock.from_millis(item["readAt"]) if "readAt" in item else None,
        revision=item["revision"],
    )
