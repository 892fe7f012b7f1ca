"""docs/guarantees.md names the mutations."""

import re

from tests.simulation.mutations import MUTATIONS
from tests.support.synth import ROOT

TEXT = (ROOT / "docs" / "guarantees.md").read_text()


def test_every_mutation_is_named() -> None:
    assert [name for name in MUTATIONS if f"*{name}*" not in TEXT] == []


def test_every_named_mutation_exists() -> None:
    lists = re.findall(r"[Mm]utations? ((?:\*[^*]+\*(?:, | and )?)+)", TEXT)
    assert {name for each in lists for name in re.findall(r"\*([^*]+)\*", each)} <= MUTATIONS.keys()
