"""Refunds of completed orders, as stored with the order and the ticket: requested, decided, and made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared import clock
from shared.money import Price

type RefundReason = Literal["refunded_at_stripe", "refunded_by_seller", "dispute_lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """`amount` is the total so far; `reason` and `at` (time of recording in Orders) are those of the latest refund."""

    amount: Price
    reason: RefundReason
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """The buyer's request for a refund: a hostile text, until it is escaped, and the time."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDecision:
    """The decision to refund an order: the time, and the seller's reason if there is one, which is a hostile text."""

    at: datetime
    reason: str | None = None


def to_attribute(refund: Refund | None) -> dict[str, Any] | None:
    """Convert a refund to an item attribute."""
    return {"amount": refund.amount, "reason": refund.reason, "at": clock.to_millis(refund.at)} if refund else None


def from_attribute(stored: Mapping[str, Any] | None) -> Refund | None:
    """Convert an item attribute to a refund."""
    if stored is None:
        return None
    return Refund(amount=stored["amount"], reason=stored["reason"], at=clock.from_millis(stored["at"]))


def request_to_attribute(request: RefundRequest | None) -> dict[str, Any] | None:
    """Convert a request to an item attribute."""
    return {"reason": request.reason, "at": clock.to_millis(request.at)} if request else None


def request_from_attribute(stored: Mapping[str, Any] | None) -> RefundRequest | None:
    """Convert an item attribute to a request."""
    return RefundRequest(reason=stored["reason"], at=clock.from_millis(stored["at"])) if stored else None


def decision_to_attribute(decision: RefundDecision | None) -> dict[str, Any] | None:
    """Convert a decision to an item attribute."""
    return {"reason": decision.reason, "at": clock.to_millis(decision.at)} if decision else None


def decision_from_attribute(stored: Mapping[str, Any] | None) -> RefundDecision | None:
    """Convert an item attribute to a decision."""
    return RefundDecision(reason=stored.get("reason"), at=clock.from_millis(stored["at"])) if stored else None
