"""The mail sender: sends the mails that Auth's routes have queued, and those that report events of other services.

Each has a queue of its own, so that a link that somebody waits for is not behind the receipts of a rush.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.auth.mail_delivery import deliver
from functions.auth.mail_store import BeingSent, MailStore
from functions.auth.mailer import Mailer, MailNotSent
from functions.auth.mails.request import MailRequest
from functions.auth.order_mails import mail_of
from shared import clock, settings
from shared.events import Data, OrderCancelled, OrderCompleted, OrderRefunded, TicketUpdated
from shared.listener import TooEarly, listen
from shared.table import Table
from shared.telemetry import Trace, count, follow, logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the mail sender; those for SES are in `mailer`.

    Each mail takes `mail_millis` at least, so that all senders together stay within SES's rate. Where verification of
    addresses is `required`, an address that is not verified gets no mails but those that prove it.
    """

    table_name: str
    mail_millis: int = 0
    email_verification: str = "optional"


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send the mails of a batch, from one of the two queues. Those that were not sent return to it."""
    if "detail-type" in json.loads(batch["Records"][0]["body"]):
        return listen(dict.fromkeys((OrderCompleted, OrderRefunded, OrderCancelled, TicketUpdated), _report), batch)
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
            _send(MailRequest.from_message(message))
    except (BeingSent, MailNotSent) as error:
        logger.warning("a mail returns to its queue", reason=str(error))
        return False
    except Exception:
        logger.exception("a mail was not handled", message_id=record["messageId"])
        count("EventsNotHandled")
        return False
    return True


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
    clock.sleep(max(0.0, env.mail_millis / 1000 - (clock.now() - began).total_seconds()))
