"""The eraser: erases the accounts that their users have deleted, once nothing of theirs is open.

Runs on a schedule. The index of closed accounts is the record of what is left to do: a run that fails or ends early is
continued by the next one.
"""

from dataclasses import dataclass
from typing import Any

from functions.auth.account_closing import QUIET, erase_account
from functions.auth.store import UserStore
from shared import clock, settings
from shared.table import Table
from shared.telemetry import count, logger
from shared.work_queue import RESERVED_SECONDS, remaining_time


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the eraser, besides the functions of other services."""

    table_name: str


def handler(_event: dict[str, Any], context: object) -> None:
    """Erase what can be erased. One account that fails does not stop the others."""
    store, remaining = UserStore(Table(settings.load(Settings).table_name)), remaining_time(context)
    for user_id in store.closing(clock.now() - QUIET):
        if remaining() < RESERVED_SECONDS:
            break
        try:
            is_erased = erase_account(store, user_id, remaining)
        except Exception:
            logger.exception("an account is not erased", user_id=user_id)
            count("RepairsFailed")
            continue
        logger.info("an account is erased" if is_erased else "an account waits for what is open", user_id=user_id)
