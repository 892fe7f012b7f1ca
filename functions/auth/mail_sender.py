"""The mail sender: sends the mails that Auth's routes have queued, and those that report events of other services.

Each has a queue of its own, so that a link that somebody waits for is not behind the receipts of a rush. The sender
also makes the links, so that no queue and no table has their tokens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.auth import account_changes
from functions.auth.link import Purpose
from functions.auth.mail_delivery import deliver
from functions.auth.mail_store import BeingSent, MailStore
from functions.auth.mailer import Mailer, MailNotSent
from functions.auth.mails.kinds import ConfirmNewAddress, ResetPassword, VerifyAddress
from functions.auth.mails.request import MailRequest, request_of
from functions.auth.order_mails import mail_of
from functions.auth.store import UserStore
from shared import clock, settings
from shared.events import (
    Data,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    PayoutCreated,
    PayoutReversed,
    TicketUpdated,
)
from shared.ids import created_at_millis
from shared.listener import TooEarly, listen
from shared.table import Table
from shared.telemetry import Trace, count, follow, logger

LINKS = {
    Purpose.VERIFY: VerifyAddress,
    Purpose.RESET: ResetPassword,
    Purpose.CHANGE_EMAIL: ConfirmNewAddress,
}
"""The mail with each kind of link."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the mail sender; those for SES are in `mailer`.

    Each mail takes `mail_millis` at least, so that all senders together stay within SES's rate. Where verification of
    addresses is `required`, an address that is not verified gets no mails but those that prove it.
    """

    table_name: str
    mail_millis: int = 0
    email_verification: str = "optional"


REPORTED: tuple[type[Data], ...] = (
    *(OrderCompleted, OrderRefunded, OrderCancelled, TicketUpdated),
    *(PayoutCreated, PayoutReversed),
)


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send the mails of a batch, from one of the two queues. Those that were not sent return to it."""
    if "detail-type" in json.loads(batch["Records"][0]["body"]):
        return listen(dict.fromkeys(REPORTED, _report), batch)
    failed = [record["messageId"] for record in batch["Records"] if not _is_handled(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _report(event: Data) -> None:
    request = mail_of(event)
    if request is None:
        return
    try:
        _send(request)
    except (BeingSent, MailNotSent) as error:
        raise TooEarly(str(error)) from error


def _is_handled(record: Mapping[str, Any]) -> bool:
    try:
        message: dict[str, Any] = json.loads(record["body"])
        with follow(Trace(message["correlationId"], message["id"])):
            if request := _request(message):
                _send(request)
    except (BeingSent, MailNotSent) as error:
        logger.warning("a mail returns to its queue", reason=str(error))
        return False
    except Exception:
        logger.exception("a mail was not handled", message_id=record["messageId"])
        count("EventsNotHandled")
        return False
    return True


def _request(message: dict[str, Any]) -> MailRequest | None:
    """Return the mail of a message. If it needs a link, make the link; None if nobody or nothing needs it any more."""
    if "link" not in message:
        return MailRequest.from_message(message)
    store = UserStore(Table(settings.load(Settings).table_name))
    purpose, queued_at = Purpose(message["link"]), clock.from_millis(created_at_millis(message["id"]))
    user_id, address = message["userID"], message["address"]
    if user_id is None:
        account = store.account(address)
        user_id = account and account.id
    made = None
    if user_id and clock.now() < queued_at + purpose.life:
        made = account_changes.make_link(store, user_id, purpose, address)
    if made is None:
        logger.info("no mail is sent", mail=purpose, reason="nobody needs the link")
        return None
    address, token = made
    mail = LINKS[purpose](token=token, life=purpose.life)
    return request_of(mail, ident=message["id"], user_id=user_id, now=queued_at, address=address)


def _send(request: MailRequest) -> None:
    env, began = settings.load(Settings), clock.now()
    try:
        deliver(
            MailStore(Table(env.table_name)),
            Mailer.of_stage(),
            request,
            verified_only=env.email_verification == "required",
        )
    except MailNotSent:
        count("MailsNotSent")
        raise
    left = env.mail_millis / 1000 - (clock.now() - began).total_seconds()
    if left > 0:
        clock.sleep(left)
