"""The scenarios in which the payout protocol is explored: what may go wrong, and how the history begins."""

from dataclasses import dataclass, field
from typing import Any

from tests.model.explore import Finding, explore
from tests.model.payouts import Faults, Model, Protocol, State

ONE: dict[str, Any] = {"processes": (None,)}
READY: dict[str, Any] = {"is_ready": True, "has_funds": True}
RELEASED: dict[str, Any] = {"is_released": True}


@dataclass(frozen=True)
class Scenario:
    """What may go wrong, and how the history begins."""

    faults: Faults
    start: dict[str, Any] = field(default_factory=dict)

    def explore(self, protocol: Protocol) -> Finding:
        model = Model(protocol)
        initial = State(self.faults, **self.start)
        return explore(initial, model.steps, violation_of=model.violation_of, is_settled=model.is_settled)


SCENARIOS = {
    "one process": Scenario(Faults(seller_refunds=True), ONE),
    "two processes and a lost message": Scenario(Faults(seller_refunds=True, lost=1), READY),
    "two processes and a late request": Scenario(Faults(seller_refunds=True, delayed=1), READY),
    "two processes and a reversal without funds": Scenario(Faults(seller_refunds=True), RELEASED | {"is_ready": True}),
    "failures of Stripe": Scenario(Faults(seller_refunds=True, failed=1, days=1), READY | ONE),
    "a reversal without funds": Scenario(Faults(seller_refunds=True, delayed=1), RELEASED | ONE | {"is_ready": True}),
    "a restricted account": Scenario(Faults(seller_refunds=True, closed=1, delayed=1), READY | RELEASED | ONE),
    "a refund by hand": Scenario(Faults(seller_refunds=True, hand_refunds=1, lost=1), READY | RELEASED | ONE),
    "a refund of a part and a late request": Scenario(Faults(part_refunds=True, delayed=1, failed=1), READY | ONE),
    "a refund of a part and a seller's": Scenario(
        Faults(part_refunds=True, seller_refunds=True), READY | RELEASED | ONE
    ),
    "a dispute": Scenario(Faults(seller_refunds=True, disputes=True), READY | ONE),
    "a dispute and a refund by hand": Scenario(Faults(hand_refunds=1, disputes=True, lost=1), READY | RELEASED | ONE),
}
