"""The queue of mails that Auth's routes send. A function of its own sends them (`mail_sender`).

So no request waits for SES, fails with it, or shows by its time whether an address is known. The sender makes the
links of mails, so no message contains a token.

    mails = MailQueue.of_stage()
    mails.put_link(Purpose.RESET, address=email)
    mails.put_notice(PasswordChanged(at=now), user_id=user.id)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from functions.auth.link import Purpose
from functions.auth.mails.kinds import Mail
from functions.auth.mails.request import request_of
from shared import aws, clock, settings
from shared.ids import UserID, new_id
from shared.telemetry import current_trace, logger


class MailUnavailable(Exception):
    """The stage has no sender of mails."""

    def __init__(self) -> None:
        super().__init__("this service sends no mails")


class MailNotQueued(Exception):
    """SQS did not accept the mail, or its answer was lost. In the latter case it may be sent."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variable of a function that queues mails; empty on a stage without a sender of mails."""

    mail_queue_url: str = ""


@dataclass(frozen=True, slots=True)
class MailQueue:
    """The queue with this URL; empty on a stage without a sender of mails."""

    url: str

    @classmethod
    def of_stage(cls) -> "MailQueue":
        """Return the queue of this stage."""
        return cls(settings.load(Settings).mail_queue_url)

    @property
    def has_sender(self) -> bool:
        """False if this stage sends no mails."""
        return bool(self.url)

    def put(self, mail: Mail, *, user_id: UserID, address: str | None = None, at_most_hourly: bool = False) -> None:
        """Queue a mail to a user. Does nothing on a stage without a sender. Raises MailNotQueued.

        `address`: where to send it, in the form that `parse_email` returns, if that is not the user's address: a new
        one before it is confirmed, or the old one. A `user_id` that does not exist is accepted and its mail is not
        sent, so a route can make the same call for an unknown address.

        `at_most_hourly` is for mails that somebody can cause repeatedly, such as the notice of a new device: the first
        in an hour is sent and the others are dropped.
        """
        if not self.has_sender:
            logger.info("no mail is sent: the stage has no sender", mail=type(mail).__name__)
            return
        ident = new_id()
        request = request_of(
            mail, ident=ident, user_id=user_id, now=clock.now(), address=address, at_most_hourly=at_most_hourly
        )
        self._send(ident, request.kind, request.to_message())

    def put_notice(self, mail: Mail, *, user_id: UserID, at_most_hourly: bool = False) -> None:
        """Queue a mail about a change that has been made, which must not fail with it: a failure is only logged."""
        try:
            self.put(mail, user_id=user_id, at_most_hourly=at_most_hourly)
        except MailNotQueued as error:
            logger.warning("no mail is sent", mail=type(mail).__name__, reason=str(error))

    def put_link(self, purpose: Purpose, *, user_id: UserID | None = None, address: str | None = None) -> None:
        """Queue the request for a link of this purpose. Raises MailUnavailable, MailNotQueued.

        For the user with this id, or with this address. With both, the link is for this address of the user. Whether
        there is such a user shows only when the mail is sent.
        """
        if not self.has_sender:
            raise MailUnavailable
        self._send(new_id(), purpose, {"link": purpose, "userID": user_id, "address": address})

    def _send(self, ident: str, what: str, content: Mapping[str, object]) -> None:
        trace = current_trace()
        message = {"id": ident, "correlationId": trace.correlation_id if trace else ident, **content}
        try:
            aws.sqs().send_message(QueueUrl=self.url, MessageBody=json.dumps(message))
        except (BotoCoreError, ClientError) as error:
            raise MailNotQueued(f"{what} was not queued: {type(error).__name__}") from None
