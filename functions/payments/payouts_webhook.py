"""Receive Stripe's webhooks about sellers' accounts.

They come from a Connect endpoint with a signing secret of its own. Of a verified event only the ids of account and
user are used; the state is read from Stripe. An event about an account that is not recorded is ignored: it belongs to
another stage, or nothing can be sent to it.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from functions.payments import payout_gateway
from functions.payments.account_store import AccountStore
from functions.payments.onboarding import refresh
from functions.payments.payout_gateway import PayoutGateway
from functions.payments.signed_webhook import receive
from shared import settings
from shared.ids import UserID, is_id
from shared.table import Table
from shared.telemetry import logger

_ACCOUNT_ID = re.compile(r"acct_\w{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the webhook; those for Stripe are in `payout_gateway`."""

    stage: str
    table_name: str


class _Subject(BaseModel):
    """The object of the event: an account."""

    id: str | None = None
    metadata: Any = None

    def user_id(self, stage: str) -> UserID | None:
        """Return the user of the account; None if it is not one of this stage."""
        found = self.metadata if isinstance(self.metadata, dict) else {}
        user_id = found.get("userID")
        is_ours = found.get("stage") == stage and isinstance(user_id, str) and is_id(user_id)
        return UserID(user_id) if is_ours and user_id else None


class _Data(BaseModel):
    object: _Subject


class ConnectEvent(BaseModel):
    """The fields of an event of a connected account that are used."""

    id: str = ""
    type: str
    data: _Data


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one webhook delivery."""
    return receive(event, ConnectEvent, secret=lambda: payout_gateway.keys().connect_webhook, act=_receive)


def _receive(event: ConnectEvent) -> None:
    env = settings.load(Settings)
    account_id, user_id = event.data.object.id or "", event.data.object.user_id(env.stage)
    if event.type != "account.updated" or user_id is None or not _ACCOUNT_ID.fullmatch(account_id):
        return
    store = AccountStore(Table(env.table_name))
    account = store.account(user_id)
    if account is None or account.stripe_id != account_id:
        return
    logger.info("webhook received", event_type=event.type, stripe_event=event.id, account=account_id)
    refresh(store, PayoutGateway(), user_id)
