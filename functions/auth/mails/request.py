"""A mail that is to be sent, as it waits in a queue. Pure.

As a message it is JSON: the names of kinds and fields are contracts, since a queue can outlast a deployment.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self

from functions.auth.mails import kinds
from functions.auth.mails.kinds import Mail
from shared import clock
from shared.ids import UserID

KEPT_FOR = timedelta(days=14)
"""How long a mail without a token is worth sending: as long as queues keep a message."""
HOUR = timedelta(hours=1)

_KINDS: dict[str, type[Mail]] = {
    name: kind for name, kind in vars(kinds).items() if isinstance(kind, type) and issubclass(kind, Mail)
}


class UnknownMail(ValueError):
    """A message names a kind of mail that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequest:
    """A mail to a user, who is looked up when it is sent.

    `key` identifies what the mail reports: of all requests with one key, one is sent; with `interval`, one in each
    such time. `address` is None for the user's address. After `send_by` the mail is not sent.
    """

    key: str
    user_id: UserID
    mail: Mail
    send_by: datetime
    address: str | None = field(default=None, repr=False)
    interval: timedelta | None = None

    @property
    def kind(self) -> str:
        """The name of the kind of mail."""
        return type(self.mail).__name__

    def to_message(self) -> dict[str, Any]:
        """Return the request as JSON values; it contains a token if the mail has a link."""
        values = ((each.name, getattr(self.mail, each.name)) for each in fields(self.mail))
        return {
            "key": self.key,
            "userID": self.user_id,
            "kind": self.kind,
            "mail": {name: _to_json(value) for name, value in values},
            "sendBy": _to_json(self.send_by),
            "address": self.address,
            "interval": _to_json(self.interval),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """Return the request of a message. Ignores fields that it does not know. Raises UnknownMail."""
        kind = _KINDS.get(message["kind"])
        if kind is None:
            raise UnknownMail("there is no such kind of mail")
        interval = message.get("interval")
        return cls(
            key=message["key"],
            user_id=UserID(message["userID"]),
            mail=kind(**{each.name: _from_json(message["mail"][each.name], each.type) for each in fields(kind)}),
            send_by=datetime.fromisoformat(message["sendBy"]),
            address=message.get("address"),
            interval=None if interval is None else timedelta(seconds=interval),
        )


def request_of(
    mail: Mail, *, ident: str, user_id: UserID, now: datetime, address: str | None = None, at_most_hourly: bool = False
) -> MailRequest:
    """Return the request of one of Auth's own routes. `ident` is new for each.

    `at_most_hourly`: only one in an hour of such requests of this kind for this user is sent.
    """
    life = mail.life if isinstance(mail, kinds.VerifyAddress | kinds.ResetPassword | kinds.ConfirmNewAddress) else None
    return MailRequest(
        key=f"{type(mail).__name__}#{user_id}" if at_most_hourly else f"{type(mail).__name__}#{user_id}#{ident}",
        user_id=user_id,
        mail=mail,
        send_by=now + (life or KEPT_FOR),
        address=address,
        interval=HOUR if at_most_hourly else None,
    )


def _to_json(value: object) -> object:
    match value:
        case datetime():
            return clock.to_rfc3339(value)
        case timedelta():
            return int(value.total_seconds())
        case _:
            return value


def _from_json(value: Any, kind: object) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value)
    return timedelta(seconds=value) if kind is timedelta else value
