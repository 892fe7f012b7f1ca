"""Sellers who are paid: what they and an operator do in some runs, and what must hold.

Guarantees: (9) a seller is paid once, and only for what stands; (10) the books add up.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from functions.payments.earning_store import _to_earning
from functions.payments.earnings import EarningStatus
from shared import clock
from stripe_emulator import StripeAccount
from tests.simulation.choices import Choices
from tests.simulation.cloud import FEE_PERCENT, HOLD_SECONDS, Cloud
from tests.simulation.invariants import InvariantViolation, intents, orders_and_tickets

if TYPE_CHECKING:
    from tests.simulation.workload import Workload

type Item = dict[str, Any]

REFUSED_SECONDS = 600


class Payouts:
    """Sellers connect accounts, Stripe and the operator change them, and money moves by hand."""

    def __init__(self, users: "Workload", cloud: Cloud, stripe: StripeAccount, choices: Choices) -> None:
        self._users = users
        self._cloud = cloud
        self._stripe = stripe
        self._choices = choices

    def act(self) -> None:
        """Let a seller, the operator or Stripe do something about payouts."""
        acts: list[Callable[[], None]] = [*[self._users.trade] * 12, *[self._connect] * 2, self._look]
        acts += [self._reclaim] * (6 if _transfers(self._stripe) else 2)
        if self._accounts():
            acts += [*[self._decide] * 3, self._empty, self._refuse]
        self._choices.pick(acts)()

    def _connect(self) -> None:
        self._users.seller_calls("POST", "/api/payouts/account")

    def _look(self) -> None:
        self._users.seller_calls("GET", self._choices.pick(("/api/payouts", "/api/payouts/account")))

    def _decide(self) -> None:
        """Stripe decides about an account; mostly it is ready."""
        status = self._choices.pick((*["ready"] * 4, "restricted", "pending"))
        self._by_hand(f"/local/accounts/{self._choices.pick(self._accounts())}", f"status={status}")

    def _empty(self) -> None:
        """Pay an account's balance to its bank, so that a reversal lacks money."""
        account = self._choices.pick(self._accounts())
        if self._stripe._balances.total(account, "usd") > 0:
            self._by_hand(f"/local/accounts/{account}/payout", "")

    def _refuse(self) -> None:
        """Let Stripe refuse transfers or reversals of an account for some time, or fail."""
        call = self._choices.pick(("transfer", "transfer", "reversal"))
        code, kind = self._choices.pick((("balance_insufficient", "invalid_request_error"), ("api_error", "api_error")))
        account = self._choices.pick(self._accounts())
        form = f"account={account}&call={call}&code={code}&type={kind}&seconds={REFUSED_SECONDS}"
        self._by_hand("/local/refusals", form)

    def _reclaim(self) -> None:
        """Refund a completed order by hand, in full or in part, or dispute it, or end a dispute."""
        orders, _ = orders_and_tickets(self._cloud)
        possible = []
        for intent in intents(self._stripe):
            ident, charge, dispute = intent["id"], intent["latest_charge"], intent["dispute"]
            status = orders.get(intent["metadata"]["orderID"], {}).get("status")
            if intent["status"] != "succeeded" or status != "completed":
                continue
            if dispute and dispute["status"] == "needs_response":
                outcome = self._choices.pick(("won", "won", "lost"))
                possible += [(ident, f"/local/disputes/{dispute['id']}/close", f"status={outcome}")] * 2
            elif not dispute and not charge["refunded"]:
                half = (charge["amount_captured"] - charge["amount_refunded"]) // 4
                possible += [(ident, "/v1/refunds", f"payment_intent={ident}")]
                possible += [(ident, "/v1/refunds", f"payment_intent={ident}&amount={half}")]
                possible += [(ident, "/local/disputes", f"payment_intent={ident}")]
        if possible:
            ident, path, form = self._choices.pick(possible)
            self._by_hand(path, form)
            self._users.by_hand.add(ident)

    def _by_hand(self, path: str, form: str) -> None:
        self._users.do_by_hand(path, form)

    def _accounts(self) -> list[str]:
        return [ident for ident, _ in self._stripe._tables.rows("accounts")]


def check_payouts(cloud: Cloud, stripe: StripeAccount, skew_seconds: int) -> None:
    """Check what must hold at every instant. Raises InvariantViolation."""
    items = cloud.database.items(cloud.table("payments"))
    earnings = {item["orderID"]: item for item in items if item["pk"].startswith("earning#")}
    payments = {item["orderID"]: item for item in items if item["pk"].startswith("order#")}
    orders, _ = orders_and_tickets(cloud)
    transfers = _transfers(stripe)
    accounts = dict(stripe._tables.rows("accounts"))
    for ident, made in transfers.items():
        _require(ident in earnings, f"money was sent for order {ident}, which earns nothing")
        _sent_once_to_the_seller(made, earnings[ident], accounts)
        released = payments[ident]["paidAt"] // 1000 + HOLD_SECONDS - skew_seconds - 1
        early = any(each["created"] < released for each in made)
        _require(not early, f"the seller of order {ident} was paid before the release")
    for ident, item in earnings.items():
        price = _cents(orders[ident]["price"])
        _require(item["fee"] == _fee(price), f"the fee of order {ident} is {item['fee']}, not {_fee(price)}")
        _the_record_explains(item, transfers.get(ident, []))
    _totals_are_sums(earnings, items)
    _balances_agree(stripe, transfers, accounts)


def check_payouts_at_rest(cloud: Cloud, stripe: StripeAccount) -> None:
    """Check that each seller has what is due, once nothing is under way. Raises InvariantViolation."""
    items = cloud.database.items(cloud.table("payments"))
    sellers = {item["pk"].removeprefix("seller#"): item for item in items if item["pk"].startswith("seller#")}
    accounts = {item["userID"]: item for item in items if item["pk"].startswith("account#")}
    at_stripe = dict(stripe._tables.rows("accounts"))
    orders, _ = orders_and_tickets(cloud)
    shown = {intent["metadata"]["orderID"]: intent for intent in intents(stripe)}
    for item in items:
        if not item["pk"].startswith("earning#"):
            continue
        earning, order = _to_earning(item), orders[item["orderID"]]
        _require(item["orderStatus"] == order["status"], f"the earnings of order {order['id']} lack its last event")
        if earning.is_reversing():
            continue  # refused, and tried again
        due = _due(item)
        _require(earning.stands <= due, f"{earning.stands} stay with the seller of order {order['id']}, due are {due}")
        if earning.stands == due or earning.transferred:
            _require(earning.look_at is None, f"the earnings of order {order['id']} are looked at for ever")
            continue
        account = at_stripe.get(accounts.get(item["sellerID"], {}).get("stripeAccount", ""))
        is_ready = account is not None and account["capabilities"]["transfers"] == "active"
        may_wait = not is_ready or sellers[item["sellerID"]].get("reversing") or _is_polled(sellers[item["sellerID"]])
        intent = shown[order["id"]]
        is_blocked = _is_at_risk(intent, item.get("orderRefunded", 0))
        is_paused = earning.operation is not None
        _require(
            bool(is_blocked or may_wait or is_paused),
            f"the seller of order {order['id']} is not paid: {earning.status(clock.now())}",
        )


def _sent_once_to_the_seller(made: list[Item], earning: Item, accounts: Mapping[str, Item]) -> None:
    order_id, net = earning["orderID"], earning["price"] - earning["fee"]
    stands = sum(each["amount"] - each["amount_reversed"] for each in made)
    _require(stands <= net, f"{stands} were sent for order {order_id}, which earns {net}")
    for each in made:
        owner = accounts[each["destination"]]["metadata"].get("userID")
        _require(owner == earning["sellerID"], f"the money for order {order_id} was sent to another's account")


def _the_record_explains(item: Item, made: list[Item]) -> None:
    """As in the model: at most the open operation has happened and is not recorded."""
    operation = item.get("operation", {})
    begun = {operation.get("kind"): operation.get("amount", 0)}
    transferred = sum(each["amount"] for each in made) - item.get("transferred", 0)
    reversed_ = sum(each["amount_reversed"] for each in made) - item.get("reversed", 0)
    for kind, more in (("transfer", transferred), ("reversal", reversed_)):
        explained = more in (0, begun.get(kind, 0))
        _require(explained, f"{more} of a {kind} for order {item['orderID']} are not recorded")


def _totals_are_sums(earnings: Mapping[str, Item], items: list[Item]) -> None:
    sums: Counter[tuple[str, str]] = Counter()
    for item in earnings.values():
        sums[item["sellerID"], item["status"]] += _to_earning(item).amount
    stored: Counter[tuple[str, str]] = Counter()
    for item in items:
        if item["pk"].startswith("seller#"):
            for status in EarningStatus:
                stored[item["pk"].removeprefix("seller#"), str(status)] += item.get(f"{status}_usd", 0)
    _require(+sums == +stored, f"the totals of sellers are {+stored}, the sums {+sums}")


def _balances_agree(stripe: StripeAccount, transfers: Mapping[str, list[Item]], accounts: Mapping[str, Item]) -> None:
    """What a seller has at Stripe, or has had paid to the bank, is what stands of the transfers."""
    stands: Counter[str] = Counter()
    for made in transfers.values():
        for each in made:
            stands[each["destination"]] += each["amount"] - each["amount_reversed"]
    for ident in accounts:
        transactions = (row for _, row in stripe._tables.rows("balance_transactions"))
        paid_out = -sum(
            row["amount"] for row in transactions if row["type"] == "payout" and stripe._balances.is_of(ident, row)
        )
        has = stripe._balances.total(ident, "usd")
        _require(has + paid_out == stands[ident], f"{ident} has {has} of {stands[ident]} that were sent")


def _due(item: Item) -> int:
    """What the seller is to have: the price less the fee, and less what was refunded in part; nothing of a refund."""
    is_sold = item["orderStatus"] == "completed"
    return max(0, int(item["price"] - item["fee"] - item.get("orderRefunded", 0))) if is_sold else 0


def _is_polled(seller: Item) -> bool:
    """Whether the next look at the seller is to come: at most an hour later."""
    return bool(seller.get("waiting") and seller["lookAt"] > clock.to_millis(clock.now()))


def _is_at_risk(intent: Item, recorded: int) -> bool:
    dispute = intent["dispute"]
    returned = sum(each["amount"] for each in intent["refunds"] if each["status"] == "succeeded")
    returned += dispute["amount"] if dispute and dispute["status"] == "lost" else 0
    is_open = bool(dispute and dispute["status"] == "needs_response")
    return is_open or min(returned, intent["amount_received"]) > recorded


def _transfers(stripe: StripeAccount) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for _, row in stripe._tables.rows("transfers"):
        found.setdefault(row["transfer_group"], []).append(row)
    return found


def _fee(price: int) -> int:
    return int((Decimal(price) * Decimal(FEE_PERCENT) / 100).to_integral_value(rounding=ROUND_HALF_EVEN))


def _cents(price: str) -> int:
    return round(float(price) * 100)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvariantViolation(otherwise)
