"""Refunds of completed orders, as stored with the order and the ticket."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared import clock
from shared.money import Price

type RefundReason = Literal["refunded_at_stripe", "dispute_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """`amount` is the total so far; `reason` and `at` (time of recording in Orders) are those of the latest refund."""

    amount: Price
    reason: RefundReason
    at: datetime


def to_attribute(refund: Refund | None) -> dict[str, Any] | None:
    """Convert a refund to an item attribute."""
    return {"amount": refund.amount, "reason": refund.reason, "at": clock.to_millis(refund.at)} if refund else None


def from_attribute(stored: Mapping[str, Any] | None) -> Refund | None:
    """Convert an item attribute to a refund."""
    if stored is None:
        return None
    return Refund(amount=stored["amount"], reason=stored["reason"], at=clock.from_millis(stored["at"]))
