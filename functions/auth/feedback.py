"""The listener of SES's feedback: marks addresses that have bounced or whose owner has complained.

Only what is permanent counts: a full mailbox is tried again by SES itself. SES delivers these events with best effort;
a lost one does no harm, because SES keeps the address on its own suppression list.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.auth import actions
from functions.auth.store import UserStore
from functions.auth.user import parse_email
from shared import settings
from shared.table import Table
from shared.telemetry import count, logger


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the listener of feedback."""

    table_name: str


def handler(batch: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of SES's events. Those that fail return to the queue."""
    failed = [record["messageId"] for record in batch["Records"] if not _is_handled(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_handled(record: Mapping[str, Any]) -> bool:
    try:
        for address in _refusing(json.loads(record["body"])["detail"]):
            actions.suppress(UserStore(Table(settings.load(Settings).table_name)), email=parse_email(address))
    except Exception:
        logger.exception("feedback of SES was not handled", message_id=record["messageId"])
        count("EventsNotHandled")
        return False
    return True


def _refusing(detail: Mapping[str, Any]) -> Iterator[str]:
    """Count the event, and return the addresses that are to get no more mails ("Contents of event data", SES)."""
    match detail:
        case {"bounce": {"bounceType": "Permanent", "bouncedRecipients": recipients}}:
            count("MailsBounced")
        case {"complaint": {"complainedRecipients": recipients, **complaint}}:
            if complaint.get("complaintFeedbackType") == "not-spam":
                return
            count("MailsComplainedAbout")
        case _:
            return
    for recipient in recipients:
        yield recipient["emailAddress"]
