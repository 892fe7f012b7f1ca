"""Every AWS call of every operation meets every fault; its caller repeats what failed, and all comes right."""

import pytest

from tests.faults.conftest import Results
from tests.faults.line import KINDS
from tests.faults.operations import OPERATIONS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_breaks_in(results: Results, operation: str) -> None:
    cases = results.of(operation)

    wrong = [(case, verdict) for case, verdict in cases if verdict.wrong]
    assert not wrong, "\n\n".join(f"{case}\n{verdict.calls}\n{verdict.wrong}" for case, verdict in wrong)
    for case, verdict in cases:
        if case.fault is None:
            assert verdict.way == "at once"
            assert verdict.calls, "it makes no call, so there is nothing to break"
        else:
            # What fails says so, in words that make its caller come again: no 500, nothing that looks like an answer.
            assert verdict.answer in ("503", "redelivered", "raised") or verdict.way == "at once", (case, verdict)


def test_no_fault_is_left_out(results: Results) -> None:
    met = {(case.fault.kind, verdict.way) for case, verdict in results.cases if case.fault}

    assert {kind for kind, _ in met} == set(KINDS)
    assert {("lost once", "at once"), ("gone", "on repeating"), ("gone", "after the lease")} <= met
