"""Environment of the Tickets API."""

from dataclasses import dataclass

from shared import settings
from shared.money import CURRENCIES, Currency


@dataclass(frozen=True, slots=True)
class Settings:
    """`currency` is the currency of this stage, as a lower-case ISO code."""

    table_name: str
    currency: str


def stage_currency() -> Currency:
    """Return the currency of this stage."""
    return CURRENCIES[settings.load(Settings).currency]
