"""Races while DynamoDB throttles, reports conflicts, fails, or loses responses, none of which the local one does
itself.

A call ends in success or in a 409 or 503, and its retries with the same key have one effect.
"""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared import clock, idempotency
from shared.ids import new_id
from tests.support.faults import CONFLICT, RESPONSE_LOST, SERVER_ERROR, THROTTLE, UNREACHABLE
from tests.support.race_environment import RECEIPTS, Sandbox, http, order, paid, person
from tests.support.worker_pool import FaultProfile

CONFLICTS = FaultProfile({CONFLICT: 0.4}, seed=1)
THROTTLED = FaultProfile({THROTTLE: 0.5}, seed=2)
MIXED = FaultProfile({CONFLICT: 0.15, THROTTLE: 0.15, SERVER_ERROR: 0.075, UNREACHABLE: 0.075}, seed=3)
RESPONSES_LOST = FaultProfile(
    {CONFLICT: 0.1, THROTTLE: 0.1, SERVER_ERROR: 0.05, UNREACHABLE: 0.05, RESPONSE_LOST: 0.25}, seed=4
)


@pytest.mark.parametrize(
    "fault_profile",
    [CONFLICTS, THROTTLED, MIXED, RESPONSES_LOST],
    ids=["conflicts", "throttled", "mixed", "responses lost"],
)
def test_10_tickets_200_buyers_under_faults_sell_once_each(sandbox: Sandbox, fault_profile: FaultProfile) -> None:
    tickets = sandbox.on_sale(10)
    requests = [(ticket, person(), new_id()) for ticket in tickets for _ in range(12)]
    answers: dict[str, Any] = {}
    won: dict[str, Any] = {}

    for attempt in range(12):
        left = [wish for wish in requests if wish[2] not in answers]
        if not left:
            break
        calls = [order(ticket, buyer, key=key) for ticket, buyer, key in left]
        outcomes = sandbox.at_once(calls, processes=20, fault_profile=replace(fault_profile, seed=attempt))
        for (_, _, key), outcome in zip(left, outcomes, strict=True):
            assert outcome.status in {201, 409, 503}, outcome.answer
            if outcome.status == 503:
                assert outcome.code == "unavailable"
            elif outcome.code != "idempotency_in_progress":
                answers[key] = outcome.status
            if outcome.status == 201:
                won[key] = outcome.json

    # The record of a call whose release was lost as well stays under its lease; after that the key is free again.
    left = [wish for wish in requests if wish[2] not in answers]
    after_lease = clock.now() + idempotency.LEASE + timedelta(seconds=5)
    for outcome in sandbox.at_once([order(ticket, buyer, key=key, at=after_lease) for ticket, buyer, key in left]):
        assert outcome.status in {201, 409}
        if outcome.status == 201:
            won[outcome.json["id"]] = outcome.json

    assert sorted(one["id"] for one in won.values()) == sorted(item["id"] for item in sandbox.orders())
    assert sorted(one["ticket"]["id"] for one in won.values()) == sorted(tickets)


@pytest.mark.parametrize("fault_profile", [MIXED, RESPONSES_LOST], ids=["mixed", "responses lost"])
def test_redelivered_events_take_effect_once(sandbox: Sandbox, fault_profile: FaultProfile) -> None:
    buyers = [person() for _ in range(16)]
    placed = sandbox.ordered(sandbox.on_sale(len(buyers)), buyers)
    sandbox.settle()

    for event_type in ("payment:authorized", "payment:created"):
        left = [paid(event_type, one) for one in placed for _ in range(2)]
        for receipt in range(RECEIPTS):
            outcomes = sandbox.at_once(left, processes=16, fault_profile=replace(fault_profile, seed=receipt))
            left = [call for call, outcome in zip(left, outcomes, strict=True) if not outcome.is_taken]
        assert not left

    assert {item["status"] for item in sandbox.orders()} == {"completed"}
    sandbox.settle(fault_profile=fault_profile)
    tickets = [item for item in sandbox.items("tickets") if item["pk"].startswith("ticket#")]
    assert all("soldAt" in item for item in tickets)
    assert {item["orderStatus"] for item in sandbox.items("payments") if "orderID" in item} == {"completed"}


def test_edits_under_faults_count_once_each(sandbox: Sandbox) -> None:
    seller = person()
    tickets = sandbox.on_sale(8, seller=seller)
    edits = [
        http("PUT", f"/api/tickets/{ticket}", {"title": f"Row {row}", "price": "11.00"}, by=seller, key=new_id())
        for ticket in tickets
        for row in range(3)
    ]
    answered: Counter[str] = Counter()

    for attempt in range(12):
        if not edits:
            break
        fault_profile = replace(RESPONSES_LOST, seed=attempt)
        outcomes = sandbox.at_once(edits, processes=12, fault_profile=fault_profile, courier=True)
        for outcome in outcomes:
            assert outcome.status in {200, 202, 409, 503}, outcome.answer
            assert outcome.code in {"", "change_pending", "idempotency_in_progress", "unavailable"}
        answered.update(outcome.json["id"] for outcome in outcomes if outcome.status == 200)
        edits = [edit for edit, outcome in zip(edits, outcomes, strict=True) if outcome.status != 200]

    assert answered.total() > 12
    copies = {item["id"]: item for item in sandbox.items("orders") if item["sk"] == "ticket"}
    for item in sandbox.items("tickets"):
        if item["pk"].startswith("ticket#"):
            assert answered[item["id"]] <= len(item.get("decisions", {})) <= 3, "an edit counted twice"
            if "pending" not in item:
                assert item["title"] == copies[item["id"]]["title"]
