"""Every AWS call of every operation gets every fault; after the caller's retries the result is correct."""

import pytest

from tests.fault_injection.conftest import Results
from tests.fault_injection.operations import OPERATIONS
from tests.support.faults import CRASH, SDK_RETRY, FaultKind


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_survives_every_fault(results: Results, operation: str) -> None:
    cases = results.of(operation)

    wrong = [(case, verdict) for case, verdict in cases if verdict.wrong]
    assert not wrong, "\n\n".join(f"{case}\n{verdict.calls}\n{verdict.wrong}" for case, verdict in wrong)
    for case, verdict in cases:
        if case.fault is None:
            assert verdict.way == "at once"
            assert verdict.calls, "the operation makes no call"
        else:
            # A failure answers with a status that makes the caller retry: no 500, and nothing that looks like a result.
            assert verdict.answer in ("503", "redelivered", "raised") or verdict.way == "at once", (case, verdict)


def test_every_fault_was_injected(results: Results) -> None:
    met = {(case.fault.kind, verdict.way) for case, verdict in results.cases if case.fault}

    assert {kind for kind, _ in met} == set(FaultKind)
    assert {(SDK_RETRY, "at once"), (CRASH, "on repeating"), (CRASH, "after the lease")} <= met
