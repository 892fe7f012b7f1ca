"""A model of one order's money: its payment, its refund, its dispute, and the transfer to its seller.

    Orders      decides: completed ──► (part refunded) ──► refunding ──► refunded
    Payments    follows: refunds the charge, and reports to Orders what went back to the buyer
    Payouts     follows: one record for each order; transfers the seller's part, and reverses what must not stay
    Stripe      executes: charge, refunds, dispute, transfers and reversals, with the answers that it keeps by key
    others      a bank, an operator, the seller's account, the clock

Messages arrive late, twice and in any order, and one may be lost. Two processes of Payouts run side by side; each may
die between any two of its lines, and a request may reach Stripe after its process has given up. `Protocol` is what the
service does. The variants in `test_payouts.py` override one method each.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from tests.model.explore import Step

PRICE = 1000
FEE = 100
NET = PRICE - FEE
PART = 400
"""What the operator refunds by hand, if it is not all."""


class OrderStatus(IntEnum):
    """The status of the order. Orders only ever raises it, as it does the version of the order."""

    UNKNOWN = 0
    COMPLETED = 1
    PART_REFUNDED = 2
    REFUNDING = 3
    REFUNDED = 4


class Operation(NamedTuple):
    """A transfer or a reversal that was begun: written down before Stripe is called, with number and amount.

    `is_leased`: a request of it may still reach Stripe. `is_spent`: Stripe has refused it, or failed.
    """

    kind: str
    number: int
    amount: int
    is_leased: bool = True
    is_spent: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """The idempotency key."""
        return self.kind, self.number


class Record(NamedTuple):
    """Payouts' record of the order. `number` is that of the last operation."""

    transferred: int = 0
    reversed: int = 0
    number: int = 0
    operation: Operation | None = None
    is_blocked: bool = False


class Process(NamedTuple):
    """A process of Payouts before its next line: `write` of a record, `call` of Stripe, or `answer` to write down."""

    line: str
    record: Record
    calls: bool = False
    answer: str = ""


class Faults(NamedTuple):
    """What may still go wrong, and what people may still do."""

    lost: int = 0
    delayed: int = 0
    failed: int = 0
    days: int = 0
    closed: int = 0
    seller_refunds: bool = False
    hand_refunds: int = 0
    part_refunds: bool = False
    disputes: bool = False


class State(NamedTuple):
    """Everything. Stripe's part: `refund` to `keys`."""

    faults: Faults
    orders: OrderStatus = OrderStatus.COMPLETED
    known: OrderStatus = OrderStatus.UNKNOWN
    reported: OrderStatus = OrderStatus.COMPLETED
    events: frozenset[OrderStatus] = frozenset({OrderStatus.COMPLETED})
    reports: frozenset[OrderStatus] = frozenset()
    record: Record = Record()
    processes: tuple[Process | None, ...] = (None, None)
    late: tuple[Operation, ...] = ()
    refund: str = "none"
    part_refund: bool = False
    dispute: str = "none"
    transfers: tuple[tuple[int, int], ...] = ()
    reversals: tuple[tuple[int, int], ...] = ()
    keys: frozenset[tuple[tuple[str, int], str]] = frozenset()
    is_released: bool = False
    is_ready: bool = False
    has_funds: bool = False

    @property
    def transferred(self) -> int:
        return sum(amount for _, amount in self.transfers)

    @property
    def reversed(self) -> int:
        return sum(amount for _, amount in self.reversals)

    @property
    def returned(self) -> OrderStatus:
        """What Stripe shows of the buyer's money, as the word that Orders will have for it."""
        if self.refund == "succeeded" or self.dispute == "lost":
            return OrderStatus.REFUNDED
        return OrderStatus.PART_REFUNDED if self.part_refund else OrderStatus.COMPLETED

    def is_executed(self, operation: Operation) -> bool:
        """Whether Stripe has a transfer or a reversal with this number in its metadata."""
        made = self.transfers if operation.kind == "transfer" else self.reversals
        return any(number == operation.number for number, _ in made)

    def is_quiet(self) -> bool:
        """Whether no message is under way: schedules look for what has left its normal course."""
        return not self.events and not self.reports


def due_to_seller(word: OrderStatus) -> int:
    """What the seller is to have for an order with this status."""
    return {OrderStatus.UNKNOWN: 0, OrderStatus.COMPLETED: NET, OrderStatus.PART_REFUNDED: max(0, NET - PART)}.get(
        word, 0
    )


class Protocol:
    """What the service does. Each method is a rule; a variant overrides one."""

    # Rules of Payouts

    def is_due(self, state: State) -> bool:
        """Whether a schedule looks at the record: by its own content, since it knows nothing else."""
        record = state.record
        stands = record.transferred - record.reversed
        return record.operation is not None or record.is_blocked or stands != due_to_seller(state.known)

    def plan(self, state: State) -> Process | None:
        """Read the record, then Stripe; return what to write, and whether Stripe is called then, or None."""
        seen = self.read(state)
        operation = seen.operation
        if operation and not operation.is_spent:
            if operation.kind == "reversal" or self.may_send(state, operation.amount):
                return self.repeat(state, seen, operation)
            if not self.may_give_up(operation):
                return self.written(state, seen)
        seen = seen._replace(operation=None)
        stands, target = seen.transferred - seen.reversed, self.target(state)
        if stands > target:
            if not self.reverses():
                return self.written(state, seen)
            if operation and operation.is_spent and not state.has_funds:
                return self.written(state, seen._replace(operation=operation))  # tried again on the next schedule
            return self.begin(seen, "reversal", self.amount_to_reverse(stands, target))
        waits = target > 0 and not seen.transferred
        if waits and self.stays_blocked(state):
            return None
        if waits and self.may_send(state, target):
            return self.begin(seen, "transfer", target)
        return self.written(state, seen._replace(is_blocked=waits and self.is_at_risk(state)))

    def target(self, state: State) -> int:
        """What the seller is to have: decided by Orders alone."""
        return due_to_seller(state.known)

    def read(self, state: State) -> Record:
        """The record as Stripe shows it: an operation that has happened is over, whatever was answered."""
        operation = state.record.operation
        is_over = operation is not None and state.is_executed(operation)
        return state.record._replace(
            transferred=state.transferred, reversed=state.reversed, operation=None if is_over else operation
        )

    def may_send(self, state: State, amount: int) -> bool:
        """Whether a transfer of this amount may go now."""
        return (
            amount == self.target(state) and self.is_released(state) and state.is_ready and not self.is_at_risk(state)
        )

    def is_released(self, state: State) -> bool:
        return state.is_released

    def is_at_risk(self, state: State) -> bool:
        """Whether Stripe shows that money leaves which Orders has not decided about."""
        is_leaving = state.refund == "pending" and state.known < OrderStatus.REFUNDING
        return self.is_disputed(state) or is_leaving or state.returned > state.known

    def is_disputed(self, state: State) -> bool:
        return state.dispute == "open"

    def may_give_up(self, operation: Operation) -> bool:
        """An operation without an answer is given up only once no request of it can reach Stripe any more."""
        return not operation.is_leased

    def stays_blocked(self, state: State) -> bool:
        return False

    def reverses(self) -> bool:
        return True

    def amount_to_reverse(self, stands: int, target: int) -> int:
        return stands - target

    def begin(self, record: Record, kind: str, amount: int) -> Process:
        """The next operation has the next number, and so a key of its own."""
        operation = Operation(kind, self.next_number(record), amount)
        return Process("write", record._replace(operation=operation, number=operation.number, is_blocked=False), True)

    def next_number(self, record: Record) -> int:
        return record.number + 1

    def repeat(self, state: State, record: Record, operation: Operation) -> Process:
        """The same number, key and amount, with a new lease that is written first."""
        return Process("write", record._replace(operation=operation._replace(is_leased=True)), True)

    def written(self, state: State, record: Record) -> Process | None:
        return Process("write", record) if record != state.record else None

    def after_answer(self, record: Record, process: Process) -> Record:
        """Record Stripe's answer, also after another write, if the operation is still open under the same key."""
        asked, operation = process.record.operation, record.operation
        if not (asked and operation and asked.key == operation.key):
            return record
        if process.answer != "done":
            return record._replace(operation=operation._replace(is_spent=True))
        if operation.kind == "transfer":
            return record._replace(operation=None, transferred=record.transferred + operation.amount)
        return record._replace(operation=None, reversed=record.reversed + operation.amount)

    def drops_answers(self) -> bool:
        """An answer is written down although another process has repeated its operation since."""
        return False

    def overwrites(self) -> bool:
        """The record's writes are conditioned on its revision: no process overwrites what it has not read."""
        return False

    def newer(self, known: OrderStatus, received: OrderStatus) -> OrderStatus:
        """Events of Orders that are older than the copy are ignored."""
        return max(known, received)

    # Rules of Payments and Orders

    def may_refund(self, state: State) -> bool:
        """Payments refunds on Orders' word only."""
        return state.known is OrderStatus.REFUNDING

    def after_refund(self, orders: OrderStatus, report: OrderStatus) -> OrderStatus:
        """Orders records what went back, also what it has not decided itself."""
        return max(orders, report)

    def repeats_refunding(self) -> bool:
        """The sweep of Orders publishes an order again that stays `refunding`."""
        return True

    def repeats_report(self) -> bool:
        """The reconciler of Payments reports again what Orders has not answered."""
        return True


class Model:
    """The steps of a protocol, and what must hold."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol

    def steps(self, state: State) -> Iterator[Step[State]]:
        yield from self._messages(state)
        yield from self._schedules(state)
        yield from self._payments(state)
        for index, process in enumerate(state.processes):
            if index and process == state.processes[0]:
                continue  # two processes before the same line
            yield from self._payouts(state, index, process)
        yield from self._stripe(state)
        yield from self._world(state)
        yield from self._people(state)

    # Messages

    def _messages(self, state: State) -> Iterator[Step[State]]:
        for word in state.events:
            known = self.protocol.newer(state.known, word)
            after = state if known is state.known else self._record_written(state._replace(known=known))
            violation = "the copy of the order goes back in time" if known < state.known else None
            label = f"order:{word.name.lower()} arrives"
            yield Step(label, after._replace(events=state.events - {word}), True, violation)
            yield Step(f"{label}, and will arrive again", after, False, violation)
        for word in state.reports:
            orders = self.protocol.after_refund(state.orders, word)
            after = state._replace(orders=orders, events=state.events | {orders})
            label = f"the report {word.name.lower()} arrives"
            yield Step(label, after._replace(reports=state.reports - {word}))
            yield Step(f"{label}, and will arrive again", after, False)
        if state.faults.lost:
            faults = state.faults._replace(lost=state.faults.lost - 1)
            for word in state.events:
                lost = state._replace(events=state.events - {word}, faults=faults)
                yield Step(f"order:{word.name.lower()} is lost", lost, expected=False)
            for word in state.reports:
                lost = state._replace(reports=state.reports - {word}, faults=faults)
                yield Step(f"the report {word.name.lower()} is lost", lost, expected=False)

    def _schedules(self, state: State) -> Iterator[Step[State]]:
        if not state.is_quiet():
            return
        if state.known is OrderStatus.UNKNOWN:  # the payment waits for Orders: `payment:created` is answered again
            yield Step("Payments asks Orders again", state._replace(events=frozenset({state.orders})))
        if self.protocol.repeats_refunding() and state.known < state.orders is OrderStatus.REFUNDING:
            yield Step("Orders repeats refunding", state._replace(events=frozenset({OrderStatus.REFUNDING})))
        if self.protocol.repeats_report() and state.known < state.reported:
            yield Step("Payments repeats its report", state._replace(reports=frozenset({state.reported})))

    def _record_written(self, state: State, *, by: int | None = None) -> State:
        """The record's revision has changed."""
        if self.protocol.overwrites():
            return state
        processes = (
            process if index == by or process is None else self._outdated(process)
            for index, process in enumerate(state.processes)
        )
        return state._replace(processes=tuple(processes))

    def _outdated(self, process: Process) -> Process | None:
        """A write that depends on an older revision will fail: the process starts again."""
        if process.line == "call" and self.protocol.drops_answers():
            return process._replace(answer="outdated")
        return None if process.line == "write" or self.protocol.drops_answers() else process

    # Payments

    def _payments(self, state: State) -> Iterator[Step[State]]:
        if self.protocol.may_refund(state) and state.refund == "none" and _is_refundable(state):
            violation = None if state.orders >= OrderStatus.REFUNDING else "refunds without Orders' word"
            for status in ("pending", "succeeded"):
                yield Step(f"Payments refunds: {status}", state._replace(refund=status), violation=violation)
        if state.returned > state.reported:
            reported = state._replace(reported=state.returned, reports=state.reports | {state.returned})
            yield Step(f"Payments reports {state.returned.name.lower()}", reported)

    # Payouts

    def _payouts(self, state: State, index: int, process: Process | None) -> Iterator[Step[State]]:
        if process is None:
            if self.protocol.is_due(state) and (planned := self.protocol.plan(state)):
                operation = planned.record.operation
                is_transfer = planned.calls and operation is not None and operation.kind == "transfer"
                violation = "sends while the bank has the money" if is_transfer and state.dispute == "open" else None
                yield Step("Payouts reads", _with(state, index, planned), violation=violation)
            return
        yield Step(f"Payouts dies before its {process.line}", _with(state, index, None), expected=False)
        match process.line:
            case "write":
                after = self._record_written(state._replace(record=process.record), by=index)
                called = Process("call", Record(operation=process.record.operation)) if process.calls else None
                yield Step(f"Payouts writes {_described(process.record)}", _with(after, index, called))
            case "call":
                yield from self._call(state, index, process)
            case "answer":
                record = self.protocol.after_answer(state.record, process)
                after = state
                if record != state.record:
                    after = self._record_written(state._replace(record=record), by=index)
                yield Step(f"Payouts writes {_described(record)}", _with(after, index, None))

    def _call(self, state: State, index: int, process: Process) -> Iterator[Step[State]]:
        operation = process.record.operation
        assert operation
        for label, answer, after, violation in _executed(state, operation):
            is_dropped = process.answer == "outdated"
            answered = None if is_dropped else process._replace(line="answer", answer=answer)
            yield Step(f"Stripe: {label}", _with(after, index, answered), after.faults == state.faults, violation)
        if state.faults.delayed:
            faults = state.faults._replace(delayed=state.faults.delayed - 1)
            late = tuple(sorted((*state.late, operation)))
            after = _with(state._replace(faults=faults, late=late), index, None)
            yield Step("Payouts gives up waiting; its request is still under way", after, expected=False)

    # Stripe, and time

    def _stripe(self, state: State) -> Iterator[Step[State]]:
        for index, operation in enumerate(state.late):
            rest = state._replace(late=state.late[:index] + state.late[index + 1 :])
            yield Step("the late request vanishes", rest)
            for label, _, after, violation in _executed(rest, operation):
                is_expected = after.faults == state.faults
                yield Step(f"the late request arrives: {label}", after, is_expected, violation)
        if state.refund == "pending":
            for status in ("succeeded", "failed"):
                yield Step(f"the refund has {status}", state._replace(refund=status))
        if state.dispute == "open":
            for outcome in ("won", "lost"):
                yield Step(f"the dispute is {outcome}", state._replace(dispute=outcome))

    def _world(self, state: State) -> Iterator[Step[State]]:
        if not state.is_released:
            yield Step("the release time comes", state._replace(is_released=True))
        if not state.is_ready:
            yield Step("the account becomes ready", state._replace(is_ready=True))
        if not state.has_funds:
            yield Step("the account has funds again", state._replace(has_funds=True))
        operation = state.record.operation
        calls = [process for process in state.processes if process and process.line == "call"]
        under_way = [*state.late, *(process.record.operation for process in calls)]
        if operation and operation.is_leased and not any(request and request.is_leased for request in under_way):
            record = state.record._replace(operation=operation._replace(is_leased=False))
            yield Step("the lease ends", state._replace(record=record))
        if state.faults.days and state.keys and not any(state.processes) and not state.late:
            faults = state.faults._replace(days=state.faults.days - 1)
            yield Step("a day passes: Stripe forgets its keys", state._replace(faults=faults, keys=frozenset()), False)

    def _people(self, state: State) -> Iterator[Step[State]]:
        faults = state.faults
        if faults.seller_refunds and state.orders in (OrderStatus.COMPLETED, OrderStatus.PART_REFUNDED):
            decided = state._replace(orders=OrderStatus.REFUNDING, events=state.events | {OrderStatus.REFUNDING})
            yield Step("the seller refunds", decided, expected=False)
        if faults.hand_refunds and state.refund in ("none", "failed") and _is_refundable(state):
            refunded = state._replace(faults=faults._replace(hand_refunds=faults.hand_refunds - 1))
            for status in ("pending", "succeeded"):
                yield Step(f"the operator refunds by hand: {status}", refunded._replace(refund=status), expected=False)
        if faults.part_refunds and not state.part_refund and state.refund == "none" and _is_refundable(state):
            yield Step("the operator refunds a part by hand", state._replace(part_refund=True), expected=False)
        if faults.disputes and state.dispute == "none" and state.refund != "succeeded":
            yield Step("the buyer disputes", state._replace(dispute="open"), expected=False)
        if faults.closed and state.is_ready:
            closed = state._replace(is_ready=False, faults=faults._replace(closed=faults.closed - 1))
            yield Step("the account is restricted", closed, expected=False)

    # What must hold

    def violation_of(self, state: State) -> str | None:
        """What must hold in every state."""
        stands = state.transferred - state.reversed
        if stands > NET:
            return "the seller is paid twice"
        if stands < min(due_to_seller(state.orders), state.transferred):
            return "takes back what the seller is to keep"
        operation, record = state.record.operation, state.record
        begun = {operation.kind: operation.amount} if operation else {}
        if state.transferred - record.transferred not in (0, begun.get("transfer", 0)):
            return "a transfer that the record does not explain"
        if state.reversed - record.reversed not in (0, begun.get("reversal", 0)):
            return "a reversal that the record does not explain"
        return None

    def is_settled(self, state: State) -> bool:
        """What must hold where nothing more is expected to happen."""
        record = state.record
        has_gone_back = state.returned is OrderStatus.REFUNDED
        stands = record.transferred - record.reversed
        returned = {OrderStatus.COMPLETED: 0, OrderStatus.PART_REFUNDED: PART, OrderStatus.REFUNDED: PRICE}[
            state.returned
        ]
        fee = min(FEE, PRICE - returned)
        return (
            state.known is state.orders
            and (record.transferred, record.reversed) == (state.transferred, state.reversed)
            and record.operation is None
            and not record.is_blocked
            and stands == due_to_seller(state.orders)
            and (state.orders is OrderStatus.REFUNDED) == has_gone_back
            and (state.orders is not OrderStatus.REFUNDING or state.refund == "failed")
            and (returned + stands + fee == PRICE or state.orders is OrderStatus.REFUNDING)
        )


def _is_refundable(state: State) -> bool:
    """Stripe refunds nothing while the bank has the money, nor after it has kept it."""
    return state.dispute in ("none", "won")


def _executed(state: State, operation: Operation) -> Iterator[tuple[str, str, State, str | None]]:
    """What Stripe may do with a request: label, answer, state afterwards, and what was wrong to ask for.

    An answer is kept by its key, a refusal and a failure of Stripe's own, too.
    """
    for key, kept in state.keys:
        if key == operation.key:
            yield f"answers {kept} again", kept, state, None
            return
    refused = _answered(state, operation, "refused")
    if operation.kind == "transfer":
        if not state.is_ready:
            yield "refuses the transfer", "refused", refused, None
            return
        made = state._replace(transfers=tuple(sorted((*state.transfers, (operation.number, operation.amount)))))
        violation = None if state.is_released else "pays before the release"
    else:
        if not state.has_funds or operation.amount > state.transferred - state.reversed:
            yield "refuses the reversal", "refused", refused, None
            return
        made = state._replace(reversals=tuple(sorted((*state.reversals, (operation.number, operation.amount)))))
        violation = None
    yield f"makes {operation.kind} {operation.number}", "done", _answered(made, operation, "done"), violation
    if state.faults.failed:
        faults = state.faults._replace(failed=state.faults.failed - 1)
        for after, effect in ((state, "without"), (made, "with")):
            failed = _answered(after._replace(faults=faults), operation, "failed")
            yield f"fails, {effect} effect", "failed", failed, violation if effect == "with" else None


def _answered(state: State, operation: Operation, answer: str) -> State:
    return state._replace(keys=state.keys | {(operation.key, answer)})


def _with(state: State, index: int, process: Process | None) -> State:
    """Replace one process. The two are alike, so their order does not matter."""
    if len(state.processes) == 1:
        return state._replace(processes=(process,))
    other = state.processes[1 - index]
    in_order = process and (other is None or hash(process) < hash(other))
    return state._replace(processes=(process, other) if in_order else (other, process))


def _described(record: Record) -> str:
    operation = record.operation
    if operation is None:
        return f"transferred {record.transferred}, reversed {record.reversed}" + (" (blocked)" * record.is_blocked)
    return f"{operation.kind} {operation.number} {'spent' if operation.is_spent else 'begun'}"
