"""Concurrent decisions about one order."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from shared import clock
from tests.support.race_environment import Sandbox, expired, http, order, paid, person
from tests.support.worker_pool import Invocation

TEAMS = 8
ORDERS_PER_TEAM = 6


def test_pay_expire_cancel_and_takeover_race_for_one_order(sandbox: Sandbox) -> None:
    buyers = [person() for _ in range(TEAMS * ORDERS_PER_TEAM)]
    tickets = sandbox.on_sale(len(buyers))
    placed = sandbox.ordered(tickets, buyers)
    by_id = {buyer.id: buyer for buyer in buyers}
    over = clock.now() + timedelta(minutes=6)

    # Five processes for each team, which work through the team's orders concurrently.
    def cancel(one: dict[str, Any]) -> Invocation:
        return http("DELETE", f"/api/orders/{one['id']}", by=by_id[one["userID"]])

    acts: tuple[Callable[[dict[str, Any]], Invocation], ...] = (
        lambda one: paid("payment:authorized", one),
        lambda one: paid("payment:authorized", one),
        lambda one: expired(one, at=over),
        cancel,
        lambda one: order(one["ticket"]["id"], person(), at=over),
    )
    teams = [placed[number::TEAMS] for number in range(TEAMS)]
    ran = sandbox.race([[act(one) for one in _turned(team, shift)] for team in teams for shift, act in enumerate(acts)])

    after = {item["id"]: item for item in sandbox.orders()}
    outcomes: Counter[str] = Counter()
    for number, team in enumerate(teams):
        _, _, _, cancels, takeovers = ran[number * len(acts) : (number + 1) * len(acts)]
        for shift, group in ((3, cancels), (4, takeovers)):
            for one, outcome in zip(_turned(team, shift), group, strict=True):
                item = after[one["id"]]
                if item["status"] == "awaiting:payment":
                    assert (outcome.status, outcome.code) in {(409, "order_paid"), (409, "ticket_held")}
                elif shift == 3:
                    assert (outcome.status, item["status"]) == (204, "cancelled")
                else:
                    assert outcome.status == 201 or outcome.code == "ticket_held"
        for one in team:
            outcomes[f"{after[one['id']]['status']} {after[one['id']].get('reason', '')}".strip()] += 1
    assert all(outcome.is_taken for runner in ran for outcome in runner if "batchItemFailures" in outcome.answer)
    assert outcomes.keys() <= {"awaiting:payment", "cancelled expired", "cancelled cancelled_by_buyer"}
    assert len(outcomes) > 1, f"this was no race: {outcomes}"

    # The outcomes that Payments then publishes for the winners, twice and concurrently, sell each ticket once.
    won = [one for one in placed if after[one["id"]]["status"] == "awaiting:payment"]
    for event_type in ("payment:created", "payment:failed"):
        some = won[::2] if event_type == "payment:created" else won[1::2]
        assert all(outcome.is_taken for outcome in sandbox.at_once([paid(event_type, one) for one in some * 2]))
    statuses = {item["id"]: item["status"] for item in sandbox.orders()}
    assert {statuses[one["id"]] for one in won[::2]} <= {"completed"}
    assert {statuses[one["id"]] for one in won[1::2]} <= {"cancelled"}

    # Tickets agrees after receiving all these events, in any order.
    sandbox.settle()
    held = {item["id"]: item for item in sandbox.items("orders") if item["sk"] == "ticket"}
    for ticket in sandbox.items("tickets"):
        copy = held[ticket["id"]]
        assert ticket["holdNumber"] == copy["holdNumber"]
        assert ticket.get("holdOrderID") == copy.get("holdOrderID")
        assert ("soldAt" in ticket) is copy.get("sold", False)


def test_concurrent_capture_and_failure_have_one_outcome(sandbox: Sandbox) -> None:
    placed = sandbox.ordered(sandbox.on_sale(20), [person() for _ in range(20)])
    sandbox.at_once([paid("payment:authorized", one) for one in placed])

    events = [paid(event_type, one) for one in placed for event_type in ("payment:created", "payment:failed")]
    assert all(outcome.is_taken for outcome in sandbox.at_once(events))

    assert {item["status"] for item in sandbox.orders()} <= {"completed", "cancelled"}
    assert {item["version"] for item in sandbox.orders()} == {
        4
    }  # the second was answered: the state was published again


def _turned(team: Sequence[dict[str, Any]], shift: int) -> list[dict[str, Any]]:
    """Rotate the orders, so that no process is always first."""
    return [*team[shift % 2 :], *team[: shift % 2]]
