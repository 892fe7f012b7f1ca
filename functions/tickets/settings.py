"""The environment of the Tickets API."""

from dataclasses import dataclass

from shared import settings
from shared.money import CURRENCIES, Currency


@dataclass(frozen=True, slots=True)
class Settings:
    """`currency` is the ISO code, in lower case, in which this stage sells."""

    table_name: str
    currency: str


def stage_currency() -> Currency:
    """The currency in which this stage sells."""
    return CURRENCIES[settings.load(Settings).currency]
