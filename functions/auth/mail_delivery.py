"""The use case of the mail sender: send each mail once, if its user may receive it."""

from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from functions.auth.mail_store import MailStore, Recipient
from functions.auth.mailer import Mailer, Unreachable
from functions.auth.mails.request import MailRequest
from shared import clock
from shared.table import WriteError
from shared.telemetry import count, logger


def deliver(store: MailStore, mailer: Mailer, request: MailRequest, *, verified_only: bool = False) -> None:
    """Send a mail, unless it was sent, is too late, or its recipient is gone. Raises MailNotSent, BeingSent.

    `verified_only`: an address that is not verified gets no mails but those that prove an address.

    The mail is claimed, sent, and recorded as sent. If the process dies after SES has accepted the mail and before the
    record, the mail is sent a second time once the claim has ended.
    """
    now = clock.now()
    recipient = store.recipient(request.user_id)
    if recipient is None or (reason := _refusal(request, recipient, now, verified_only=verified_only)):
        logger.info("no mail is sent", mail=request.kind, reason=reason if recipient else "unknown user")
        return
    if not store.claim(request, now=now):
        logger.info("no mail is sent", mail=request.kind, reason="sent already")
        return
    try:
        mailer.send(request.mail, to=request.address or recipient.address)
    except Unreachable as error:
        logger.warning("no mail is sent", mail=request.kind, reason=str(error))
        count("MailsUndeliverable")
        return
    _record(store, request)
    count("MailsSent")


def _refusal(request: MailRequest, recipient: Recipient, now: datetime, *, verified_only: bool) -> str | None:
    """Return why the user gets no such mail, or None."""
    if now > request.send_by:
        return "too late"
    if request.mail.proves_address:
        return None
    if verified_only and not recipient.is_verified:
        return "the address is not verified"
    is_suppressed = (request.address or recipient.address) == recipient.suppressed_address
    return "the address has bounced or complained" if is_suppressed else None


def _record(store: MailStore, request: MailRequest) -> None:
    """Record the mail as sent; if that fails, still report success: a retry would send it again."""
    try:
        store.record_sent(request, now=clock.now())
    except (WriteError, BotoCoreError, ClientError):
        logger.exception("a mail that was sent is not recorded", mail=request.kind)
