"""The payout protocol holds in every history, and each of its rules is needed: without it, a history violates it.

The decision record 98 describes the protocol and the histories that were found.
"""

from __future__ import annotations

import pytest

from tests.model.explore import Step, explore
from tests.model.payouts import NET, Operation, OrderStatus, Process, Protocol, Record, State
from tests.model.scenarios import SCENARIOS


class NewKeyForEachRequest(Protocol):
    """Reads that nothing was transferred, and sends again under a new key."""

    def repeat(self, state: State, record: Record, operation: Operation) -> Process:
        return self.begin(record, operation.kind, operation.amount)


class RepeatsUnread(Protocol):
    """Trusts the key alone: repeats, or takes the next number, without looking for what was done."""

    def read(self, state: State) -> Record:
        return state.record


class SameKeyAfterRefusal(Protocol):
    """Sends again under the key of a refused attempt."""

    def next_number(self, record: Record) -> int:
        return max(1, record.number)


class GivesUpAtOnce(Protocol):
    """Cancels although a request may still be under way."""

    def may_give_up(self, operation: Operation) -> bool:
        return True


class RepeatsWithoutLease(Protocol):
    """Repeats a request without writing a new lease first."""

    def repeat(self, state: State, record: Record, operation: Operation) -> Process:
        return Process("write", record, calls=True)


class DropsAnswers(Protocol):
    """Conditions the write of an answer on the revision that the process wrote itself."""

    def drops_answers(self) -> bool:
        return True


class Overwrites(Protocol):
    """Writes without a condition."""

    def overwrites(self) -> bool:
        return True


class PaysEarly(Protocol):
    """Does not wait for the release time."""

    def is_released(self, state: State) -> bool:
        return True


class PaysThoughRefunded(Protocol):
    """Looks at the order's completion only."""

    def target(self, state: State) -> int:
        return NET if state.known else 0


class ForgetsReversal(Protocol):
    """Takes a paid order for done."""

    def reverses(self) -> bool:
        return False


class ReversesAll(Protocol):
    """Takes back everything when a part was refunded."""

    def amount_to_reverse(self, stands: int, target: int) -> int:
        return stands


class ReversesOnStripesWord(Protocol):
    """Takes back while the bank has not decided."""

    def target(self, state: State) -> int:
        return 0 if state.dispute == "open" else super().target(state)


class PaysWhileDisputed(Protocol):
    """Does not look at disputes."""

    def is_disputed(self, state: State) -> bool:
        return False


class StaysBlocked(Protocol):
    """Does not look again at earnings that were blocked once."""

    def stays_blocked(self, state: State) -> bool:
        return state.record.is_blocked


class RefundsUnasked(Protocol):
    """Payments refunds a disputed payment once the dispute is won."""

    def may_refund(self, state: State) -> bool:
        return super().may_refund(state) or state.dispute == "won"


class IgnoresRefundsByHand(Protocol):
    """Orders records only refunds that it has decided."""

    def after_refund(self, orders: OrderStatus, report: OrderStatus) -> OrderStatus:
        return max(orders, report) if orders is OrderStatus.REFUNDING else orders


class FollowsOldEvents(Protocol):
    """Takes whichever event of Orders came last."""

    def newer(self, known: OrderStatus, received: OrderStatus) -> OrderStatus:
        return received


class NoSweep(Protocol):
    """Orders does not repeat `refunding`."""

    def repeats_refunding(self) -> bool:
        return False


class NoReconciler(Protocol):
    """Payments does not repeat its reports."""

    def repeats_report(self) -> bool:
        return False


UNSETTLED = "comes to rest unsettled"
REFUTED: list[tuple[type[Protocol], str, str]] = [
    (NewKeyForEachRequest, "two processes and a late request", "the seller is paid twice"),
    (RepeatsUnread, "failures of Stripe", "the seller is paid twice"),
    (SameKeyAfterRefusal, "failures of Stripe", "never comes to rest"),
    (GivesUpAtOnce, "two processes and a late request", "a transfer that the record does not explain"),
    (RepeatsWithoutLease, "two processes and a late request", "a transfer that the record does not explain"),
    (DropsAnswers, "two processes and a reversal without funds", "never comes to rest"),
    (Overwrites, "two processes and a lost message", "a transfer that the record does not explain"),
    (PaysEarly, "two processes and a lost message", "pays before the release"),
    (PaysThoughRefunded, "two processes and a lost message", UNSETTLED),
    (ForgetsReversal, "two processes and a lost message", UNSETTLED),
    (ReversesAll, "a refund of a part and a late request", "takes back what the seller is to keep"),
    (ReversesOnStripesWord, "a dispute", "takes back what the seller is to keep"),
    (PaysWhileDisputed, "a dispute", "sends while the bank has the money"),
    (StaysBlocked, "a dispute", UNSETTLED),
    (RefundsUnasked, "a dispute", "refunds without Orders' word"),
    (IgnoresRefundsByHand, "a refund by hand", "never comes to rest"),
    (FollowsOldEvents, "one process", "the copy of the order goes back in time"),
    (NoSweep, "two processes and a lost message", UNSETTLED),
    (NoReconciler, "a refund by hand", UNSETTLED),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_history_violates_the_protocol(name: str) -> None:
    found = SCENARIOS[name].explore(Protocol())

    assert found.violation is None, "\n".join(found.history)
    assert found.states > 1_000


@pytest.mark.parametrize(("variant", "name", "violation"), REFUTED, ids=lambda value: getattr(value, "__name__", None))
def test_no_rule_can_be_left_out(variant: type[Protocol], name: str, violation: str) -> None:
    found = SCENARIOS[name].explore(variant())

    assert found.violation == violation, "\n".join(found.history)


def test_every_rule_has_a_variant() -> None:
    rules = {name for name in vars(Protocol) if not name.startswith("_")}
    changed = {name for variant, _, _ in REFUTED for name in vars(variant) if not name.startswith("_")}
    assert rules - changed == {"is_due", "plan", "begin", "written", "may_send", "is_at_risk", "after_answer"}


# The exploration


def _explore(edges: dict[str, str], *, settled: str = "", violating: str = "") -> tuple[str | None, list[str]]:
    """Explore states named by a letter each; an upper-case letter is reached by a fault."""

    def steps(state: str) -> list[Step[str]]:
        return [Step(f"{state} to {after}", after, after.islower()) for after in edges.get(state, "")]

    found = explore(
        "a",
        lambda state: iter(steps(state)),
        violation_of=lambda state: "violates" if state in violating else None,
        is_settled=lambda state: state in settled,
    )
    return found.violation, found.history


def test_the_shortest_history_of_a_violation_is_found() -> None:
    assert _explore({"a": "bc", "b": "d", "d": "e", "c": "e"}, violating="e", settled="e") == (
        "violates",
        ["a to c", "c to e"],
    )


def test_a_state_without_expected_steps_is_settled() -> None:
    assert _explore({"a": "b", "b": "C"}, settled="C") == ("comes to rest unsettled", ["a to b"])
    assert _explore({"a": "b", "b": "C"}, settled="bC") == (None, [])


def test_expected_steps_form_no_cycle() -> None:
    assert _explore({"a": "bd", "b": "c", "c": "bd"}, settled="d") == (
        "never comes to rest",
        ["a to b", "b to c", "c to b"],
    )
    assert _explore({"a": "B", "B": "a"}, settled="a")[0] is None
