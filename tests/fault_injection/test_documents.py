"""The documents say how many operations run under faults."""

import pytest

from tests.fault_injection.operations import OPERATIONS
from tests.support.synth import ROOT


@pytest.mark.parametrize("document", ["README.md", "docs/guarantees.md"])
def test_the_number_of_operations_is_true(document: str) -> None:
    assert f"every fault on every call of {len(OPERATIONS)} operations" in (ROOT / document).read_text()
