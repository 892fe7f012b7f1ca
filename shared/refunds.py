"""Money of a completed order that went back to its buyer, as its order and its ticket keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared import clock
from shared.money import Price

type RefundReason = Literal["refunded_at_stripe", "dispute_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """`amount` is the total so far; `reason` and `at` (when Orders recorded it) are those of the latest part."""

    amount: Price
    reason: RefundReason
    at: datetime


def to_attribute(refund: Refund | None) -> dict[str, Any] | None:
    """The refund as an attribute of an item."""
    return {"amount": refund.amount, "reason": refund.reason, "at": clock.to_millis(refund.at)} if refund else None


def from_attribute(stored: Mapping[str, Any] | None) -> Refund | None:
    """The refund that the attribute holds."""
    if stored is None:
        return None
    return Refund(amount=stored["amount"], reason=stored["reason"], at=clock.from_millis(stored["at"]))
