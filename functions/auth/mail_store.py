"""The sender's part of the Users table: recipients, and which mails were sent.

    pk user#<userID>    the user's address, and what is known of it
    pk mail#<key>       the mail with this key: being sent, or sent; expires by TTL

A key names the fact that a mail reports, not an address.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from functions.auth.mails.request import MailRequest
from shared import clock
from shared.ids import UserID, new_id
from shared.table import ConditionFailed, Put, Table

SENT_KEPT = timedelta(days=60)
"""Twice as long as the archive of events, from which they can be replayed, and as an order's mails are sent."""
CLAIMED_FOR = timedelta(seconds=30)
"""Longer than the sender's timeout, so that its claim holds while it runs; shorter than the queue's retries."""


class BeingSent(Exception):
    """Another process sends the same mail now, or has died while it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What the sender must know of a user."""

    address: str = field(repr=False)
    is_verified: bool
    suppressed_address: str | None = field(default=None, repr=False)
    """The address that has bounced or complained."""


class MailStore:
    """Reads recipients and records which mails were sent."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def recipient(self, user_id: UserID) -> Recipient | None:
        """Return the user, or None, by a consistent read: a deleted user gets no mail."""
        item = self._table.get({"pk": f"user#{user_id}"}, consistent=True)
        if item is None:
            return None
        return Recipient(
            address=item["email"],
            is_verified=item.get("emailVerified", False),
            suppressed_address=item.get("suppressedEmail"),
        )

    def claim(self, request: MailRequest, *, now: datetime) -> bool:
        """Claim the mail, so that no other process sends it. Returns False if it was sent already.

        Condition: no mail with this key was sent (or, with an interval, none within it), and no claim is in force.
        Raises BeingSent if a claim is.
        """
        claim_id = new_id()
        again = "attribute_not_exists(sentAt)" if request.interval is None else _BEFORE_INTERVAL
        values: dict[str, object] = {"now": clock.to_millis(now)}
        if request.interval is not None:
            values["before"] = clock.to_millis(now - request.interval)
        put = Put(
            item={
                "pk": f"mail#{request.key}",
                "claim": claim_id,
                "claimedUntil": clock.to_millis(now + CLAIMED_FOR),
                "ttl": int((now + SENT_KEPT).timestamp()),
            },
            condition=f"attribute_not_exists(pk) OR ({again} AND claimedUntil < :now)",
            values=values,
        )
        try:
            self._table.write(put)
        except ConditionFailed as failed:
            found = failed.items[0] or {}
            if found.get("claim") == claim_id:  # an earlier attempt of this call succeeded
                return True
            if "sentAt" in found:
                return False
            raise BeingSent("another process sends this mail") from None
        return True

    def record_sent(self, request: MailRequest, *, now: datetime) -> None:
        """Record that the mail was sent. No condition: a claim that has ended meanwhile changes nothing."""
        self._table.write(
            Put(
                item={
                    "pk": f"mail#{request.key}",
                    "claimedUntil": clock.to_millis(now),
                    "sentAt": clock.to_millis(now),
                    "ttl": int((now + SENT_KEPT).timestamp()),
                }
            )
        )


_BEFORE_INTERVAL = "(attribute_not_exists(sentAt) OR sentAt <= :before)"
