"""The rules of `functions.payments.earnings` are the protocol: they hold in every history of the model.

Each plan of the model is made by `next_step`, and each answer recorded by `Earning.made` and `answered`.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.payments import earnings
from functions.payments.earnings import (
    LEASE,
    Answer,
    AtStripe,
    Earning,
    OperationKind,
    Recipient,
    Reversal,
    Sale,
    Transfer,
    next_step,
)
from functions.payments.payment import Intent, IntentStatus, RefundStatus
from functions.payments.payment import OrderStatus as Word
from shared.ids import OrderID, TicketID, UserID
from shared.money import NOTHING, MinorUnits
from tests.model.payouts import FEE, PART, PRICE, Operation, OrderStatus, Process, Protocol, Record, State
from tests.model.scenarios import SCENARIOS

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
ACCOUNT, TRANSFER = "acct_1", "tr_1"
SALE = Sale(
    order_id=OrderID("order"),
    seller_id=UserID("seller"),
    ticket_id=TicketID("ticket"),
    title="Row 1, seat 2",
    price=MinorUnits(PRICE),
    fee=MinorUnits(FEE),
    currency="usd",
)
WORDS = {
    OrderStatus.COMPLETED: Word.COMPLETED,
    OrderStatus.PART_REFUNDED: Word.COMPLETED,
    OrderStatus.REFUNDING: Word.REFUNDING,
    OrderStatus.REFUNDED: Word.REFUNDED,
}


class Implementation(Protocol):
    """The rules of Payouts as they are implemented."""

    def plan(self, state: State) -> Process | None:
        if state.known is OrderStatus.UNKNOWN:
            return None  # no record
        operation = state.record.operation
        if operation and operation.kind == "reversal" and operation.is_spent and not state.has_funds:
            return super().plan(state)  # tried again after a pause, without end
        recipient = Recipient(account_id=ACCOUNT, can_receive=state.is_ready)
        step = next_step(_earning(state), _at_stripe(state), recipient, NOW)
        record = _record(step.after)
        is_settled = not (record.operation or record.is_blocked or step.after.stands != step.after.due)
        assert is_settled == (step.after.look_at is None), "a record is looked at until it is settled"
        return Process("write", record, step.calls) if step.calls or record != state.record else None

    def after_answer(self, record: Record, process: Process) -> Record:
        asked = _operation(process.record.operation)
        assert asked
        before = _recorded(record)
        if process.answer == "done":
            return _record(before.made(asked, NOW))
        return _record(before.answered(asked, Answer.REFUSED, NOW))


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_history_of_the_implementation_violates_the_protocol(name: str) -> None:
    found = SCENARIOS[name].explore(Implementation())

    assert found.violation is None, "\n".join(found.history)
    assert found.states > 500


def _earning(state: State) -> Earning:
    released = NOW if state.is_released else NOW + timedelta(seconds=1)
    refunded = {OrderStatus.PART_REFUNDED: PART, OrderStatus.REFUNDED: PRICE}.get(state.known, 0)
    return replace(
        _recorded(state.record),
        order_status=WORDS[state.known],
        refunded=MinorUnits(refunded),
        available_at=released,
    )


def _recorded(record: Record) -> Earning:
    return Earning(
        sale=SALE,
        order_status=Word.COMPLETED,
        order_version=3,
        available_at=NOW,
        transferred=MinorUnits(record.transferred),
        reversed=MinorUnits(record.reversed),
        number=record.number,
        operation=_operation(record.operation),
        is_blocked=record.is_blocked,
        look_at=NOW,
    )


def _operation(operation: Operation | None) -> earnings.Operation | None:
    if operation is None:
        return None
    kind = OperationKind(operation.kind)
    return earnings.Operation(
        kind=kind,
        number=operation.number,
        amount=MinorUnits(operation.amount),
        target=ACCOUNT if kind is OperationKind.TRANSFER else TRANSFER,
        leased_at=NOW if operation.is_leased else NOW - LEASE,
        answer=Answer.REFUSED if operation.is_spent else None,
    )


def _record(earning: Earning) -> Record:
    operation = earning.operation
    open_one = None
    if operation:
        open_one = Operation(
            str(operation.kind),
            operation.number,
            operation.amount,
            is_leased=operation.is_leased(NOW),
            is_spent=operation.answer is not None,
        )
    return Record(earning.transferred, earning.reversed, earning.number, open_one, earning.is_blocked)


def _at_stripe(state: State) -> AtStripe:
    returned = {OrderStatus.REFUNDED: PRICE, OrderStatus.PART_REFUNDED: PART}.get(state.returned, 0)
    intent = Intent(
        id="pi_1",
        status=IntentStatus.SUCCEEDED,
        client_secret="",
        created_at=NOW,
        stage="test",
        order_id=SALE.order_id,
        captured=MinorUnits(PRICE),
        refunded=MinorUnits(returned) if state.dispute != "lost" else NOTHING,
        refund_status=RefundStatus.PENDING if state.refund == "pending" else None,
        lost=MinorUnits(PRICE) if state.dispute == "lost" else NOTHING,
        with_the_bank=state.dispute == "open",
    )
    reversals = tuple(Reversal(number=number, amount=MinorUnits(amount)) for number, amount in state.reversals)
    transfers = tuple(
        Transfer(id=TRANSFER, number=number, amount=MinorUnits(amount), reversals=reversals)
        for number, amount in state.transfers
    )
    return AtStripe(intent=intent, transfers=transfers)
