"""The Users table: users, and counters of failed sign-ins.

    pk user#<userID>                             the user with their sessions and links
    pk email#<email>                             the address's user id and password hash
    pk attempts#<scope>#<digest>#<window>        attempts in one window; expires by TTL
    index closing     closingPartition, closingAt     users who have deleted their accounts; keys only

The address is the key of one item, so it can belong to one user only. Each change of a user is conditioned on the
user's revision, also if it changes the address or the password, so changes of one user follow one another.

Only `closing_user` finds users who have deleted their accounts, and only `erase` changes them.

The keys of counters contain digests, since an attempt may use the address of a person who has no account, and such
addresses must not be stored.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from functions.auth.link import Link, Purpose
from functions.auth.rate_limit import Counter
from functions.auth.session import Session
from functions.auth.user import Account, EmailInUse, User
from shared import clock
from shared.ids import UserID
from shared.table import ConditionFailed, Delete, Item, Put, Table, Update
from shared.unit_of_work import UnitOfWork

COUNTER_KEPT = timedelta(hours=1)  # after its window, so that an attempt from within the window can still be undone
CLOSING = "closing"  # the one partition of the index of closed accounts


class UserStore(UnitOfWork[User]):
    """Reads and writes the items of Auth."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)

    def user(self, user_id: str) -> User | None:
        """Return the user; None if there is none, or they have deleted their account.

        The read is consistent: a session that was ended is not found any more.
        """
        user = self._find(user_id)
        return user if user and user.closing_at is None else None

    def closing_user(self, user_id: str) -> User | None:
        """Return a user who has deleted their account and is not erased, or None, by a consistent read."""
        user = self._find(user_id)
        return user if user and user.closing_at else None

    def closing(self, before: datetime) -> Iterator[UserID]:
        """Iterate over the users who have deleted their accounts before the instant and are not erased."""
        for entry in self.table.query(
            "closingPartition = :partition AND closingAt < :before",
            index="closing",
            partition=CLOSING,
            before=clock.to_millis(before),
        ):
            yield UserID(entry["pk"].removeprefix("user#"))

    def erase(self, user: User) -> None:
        """Add the removal of the user and of their address, which is free then.

        Condition: the user has the revision of `user`, so they exist, and the address is theirs.
        """
        self.add(
            Delete(key={"pk": f"user#{user.id}"}, condition="#revision = :before", values={"before": user.revision}),
            Delete(key={"pk": f"email#{user.email}"}),
        )

    def _find(self, user_id: str) -> User | None:
        item = self.table.get({"pk": f"user#{user_id}"}, consistent=True)
        return _to_user(item) if item else None

    def replace(self, before: User, after: User) -> None:
        """Add the user's next state to the unit of work. Condition: the user has the revision of `before`."""
        self.add(
            Put(
                item=_to_item(after),
                condition="#revision = :before OR (attribute_not_exists(#revision) AND attribute_exists(pk))",
                values={"before": before.revision},
            )
        )

    def account(self, email: str) -> Account | None:
        """Return the account with this e-mail, or None. The read is consistent: a new user can sign in at once."""
        item = self.table.get({"pk": f"email#{email}"}, consistent=True)
        if item is None:
            return None
        return Account(
            id=UserID(item["userID"]),
            email=item["email"],
            password_hash=item["passwordHash"],
            password_version=item.get("passwordVersion", 0),
        )

    def insert(self, user: User, account: Account) -> None:
        """Write the user and the address in one transaction. Condition: neither exists; otherwise raises EmailInUse."""
        person = Put(item=_to_item(user), condition="attribute_not_exists(pk)")
        claim = Put(item=_to_claim(account), condition="attribute_not_exists(pk)")
        try:
            self.table.write(person, claim)
        except ConditionFailed as refused:
            claimed = refused.items[1] or {}
            if claimed.get("userID") != account.id:  # else an earlier attempt of this call succeeded
                raise EmailInUse("this e-mail is in use") from None

    def replace_password(self, before: User, after: User, password_hash: str) -> None:
        """Add the user's next state and password to the unit of work. Condition: that of `replace`."""
        self.replace(before, after)
        self.add(Put(item=_to_claim(_account(after, password_hash))))

    def replace_email(self, before: User, after: User, password_hash: str) -> None:
        """Add the user's next state and address to the unit of work.

        Conditions: that of `replace`, and nobody has the new address. If somebody has, the second item of the
        VersionConflict is theirs.
        """
        self.replace(before, after)
        self.add(
            Put(item=_to_claim(_account(after, password_hash)), condition="attribute_not_exists(pk)"),
            Delete(key={"pk": f"email#{before.email}"}),
        )

    def replace_hash(self, account: Account, password_hash: str) -> None:
        """Replace the hash. Condition: the stored hash is the account's; otherwise nothing is written."""
        try:
            self.table.write(
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
            self.table.write(
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
            self.table.write(
                Update(
                    key=_counter_key(counter),
                    change="ADD #count :less",
                    condition="#count > :none",
                    values={"less": -1, "none": 0},
                )
            )
        except ConditionFailed:
            return


def _to_item(user: User) -> Item:
    return {
        "pk": f"user#{user.id}",
        "id": user.id,
        "email": user.email,
        "emailVerified": user.email_verified,
        "createdAt": clock.to_millis(user.created_at),
        "suppressedEmail": user.suppressed_email,
        "passwordVersion": user.password_version,
        "revision": user.revision,
        "closingAt": clock.to_millis(user.closing_at) if user.closing_at else None,
        "closingPartition": CLOSING if user.closing_at else None,
        "sessions": {
            each.id: {"client": each.client, "createdAt": clock.to_millis(each.created_at)} for each in user.sessions
        },
        "links": {
            each.digest: {
                "purpose": each.purpose,
                "email": each.email,
                "expiresAt": clock.to_millis(each.expires_at),
            }
            for each in user.links
        },
    }


def _account(user: User, password_hash: str) -> Account:
    return Account(id=user.id, email=user.email, password_hash=password_hash, password_version=user.password_version)


def _to_claim(account: Account) -> Item:
    return {
        "pk": f"email#{account.email}",
        "userID": account.id,
        "email": account.email,
        "passwordHash": account.password_hash,
        "passwordVersion": account.password_version,
    }


def _to_user(item: Item) -> User:
    sessions = (
        Session(id=session_id, client=session["client"], created_at=clock.from_millis(session["createdAt"]))
        for session_id, session in item.get("sessions", {}).items()
    )
    return User(
        id=UserID(item["id"]),
        email=item["email"],
        created_at=clock.from_millis(item["createdAt"]),
        email_verified=item.get("emailVerified", False),
        sessions=tuple(sorted(sessions, key=lambda session: (session.created_at, session.id))),
        suppressed_email=item.get("suppressedEmail"),
        links=tuple(
            Link(
                purpose=Purpose(link["purpose"]),
                email=link["email"],
                digest=digest,
                expires_at=clock.from_millis(link["expiresAt"]),
            )
            for digest, link in item.get("links", {}).items()
        ),
        password_version=item.get("passwordVersion", 0),
        revision=item.get("revision", 0),
        closing_at=clock.from_millis(item["closingAt"]) if "closingAt" in item else None,
    )


def _counter_key(counter: Counter) -> dict[str, str]:
    return {"pk": f"attempts#{counter.name}"}
