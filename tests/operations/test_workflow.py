"""The delivery workflow: pinned actions, and which jobs get a token."""

import re

from tests.support.synth import ROOT

WORKFLOW = (ROOT / ".github" / "workflows" / "delivery.yml").read_text()


def test_every_action_is_pinned_to_a_commit_with_its_version() -> None:
    used = re.findall(r"uses: (.+)", WORKFLOW)
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


def test_a_forks_pull_request_gets_no_token() -> None:
    diff = WORKFLOW.partition("\n  diff:\n")[2].partition("\n  dev:\n")[0]
    assert "id-token: write" in diff
    assert "github.event.pull_request.head.repo.full_name == github.repository" in diff


def test_the_workflow_uses_no_stored_keys() -> None:
    assert "secrets." not in WORKFLOW
    assert "access-key" not in WORKFLOW


def test_production_follows_dev_and_needs_approval() -> None:
    prod = WORKFLOW.partition("\n  prod:\n")[2]
    assert "needs: dev" in prod
    assert "environment: prod" in prod
