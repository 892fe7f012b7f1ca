"""Every object that the local Stripe returns, field by field against the classes of Stripe's SDK.

The SDK's classes are generated from Stripe's OpenAPI document. A field may be left out only if the SDK types it as
optional; `stripe_emulator/README.md` lists those.
"""

import re
import types
import typing
from collections import defaultdict
from importlib import import_module
from inspect import isclass
from pathlib import Path
from typing import Any, Literal

import pytest
from stripe import ErrorObject, PaymentIntent, StripeObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import UntypedStripeObject

import stripe_emulator
from stripe_emulator import Reply
from tests.emulator.conftest import Core, Json

FOLDER = Path(stripe_emulator.__file__).parent
README = (FOLDER / "README.md").read_text()
RETURNED = (
    "account",
    "account_link",
    "balance",
    "balance_transaction",
    "charge",
    "dispute",
    "error",
    "event",
    "list",
    "payment_intent",
    "payment_method",
    "refund",
    "transfer",
    "transfer_reversal",
)
# The SDK types an error's code as a plain string, and the same codes as literals here. Stripe returns one that it does
# not list there.
UNLISTED = "insufficient_capabilities_for_transfer"
ERROR_FIELDS = {"code": PaymentIntent.LastPaymentError.__annotations__["code"] | Literal[UNLISTED]}


class Comparison:
    """Compares JSON values with annotations of the SDK, and collects what does not fit as `object.field`."""

    def __init__(self) -> None:
        self.invented: set[str] = set()
        """Fields that the SDK does not have."""
        self.mistyped: set[str] = set()
        """Values of another type, or not among the values that the SDK lists."""
        self.missing: set[str] = set()
        """Fields that the SDK types as always present, and an object lacked."""
        self.returned: defaultdict[str, set[str]] = defaultdict(set)
        """The fields seen so far, by object."""
        self.codes: set[str] = set()
        """The codes of errors."""

    def compare(self, value: Any, annotation: Any = None, place: str = "") -> None:
        kinds = _kinds(annotation)
        match value:
            case {"error": error}:
                self.codes |= {error["code"]} if "code" in error else set()
                self._compare_fields(error, {**ErrorObject.__annotations__, **ERROR_FIELDS}, "error")
            case {"object": str(name)} if name in OBJECT_CLASSES:
                self._compare_fields(value, {"object": str, **_sdk_class(name).__annotations__}, name)
            case dict():
                self._compare_dict(value, kinds, place)
            case list():
                inner = [typing.get_args(kind)[0] for kind in kinds if typing.get_origin(kind) is list]
                for item in value:
                    self.compare(item, inner[0] if inner else None, place)
            case _ if not _is_of(value, kinds):
                self.mistyped.add(f"{place}: {value!r}")

    def _compare_dict(self, value: Json, kinds: list[Any], place: str) -> None:
        for kind in kinds:
            if kind is UntypedStripeObject or typing.get_origin(kind) in (UntypedStripeObject, dict):
                return  # the caller chooses the keys, as in metadata
            if isclass(kind) and issubclass(kind, StripeObject):
                self._compare_fields(value, kind.__annotations__, place)
                return
        self.mistyped.add(f"{place}: an object")

    def _compare_fields(self, value: Json, fields: dict[str, Any], place: str) -> None:
        self.returned[place] |= value.keys()
        for name, inner in value.items():
            if name in fields:
                self.compare(inner, fields[name], f"{place}.{name}")
            else:
                self.invented.add(f"{place}.{name}")
        always = {name for name, kind in fields.items() if not _is_optional(kind)}
        self.missing |= {f"{place}.{name}" for name in always - value.keys()}


def _sdk_class(name: str) -> type[StripeObject]:
    """The SDK's class of the objects whose `object` has this value."""
    module, cls = OBJECT_CLASSES[name]
    found: type[StripeObject] = getattr(import_module(module), cls)
    return found


def _kinds(annotation: Any) -> list[Any]:
    """The members of a union, or the annotation itself. Listed values exclude the `str` that may stand beside them."""
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    kinds = [kind for member in members for kind in (_kinds(member) if _is_union(member) else [member])]
    listed = any(typing.get_origin(kind) is typing.Literal for kind in kinds)
    return [kind for kind in kinds if not (listed and kind is str)]


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _is_optional(annotation: Any) -> bool:
    return types.NoneType in _kinds(annotation) or typing.get_origin(annotation) is typing.ClassVar


def _is_of(value: Any, kinds: list[Any]) -> bool:
    return any(
        value in typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else type(value) is kind
        for kind in kinds
    )


class ComparedCore(Core):
    """An account whose every reply and event is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.comparison = Comparison()

    def call(self, method: str, path: str, **options: Any) -> Reply:
        reply = super().call(method, path, **options)
        self.comparison.compare(reply.body)
        return reply

    def compare_events(self) -> None:
        page: Json = {"has_more": True}
        after: dict[str, str] = {}
        while page["has_more"]:
            page = self.get("/v1/events", limit=100, **after)
            after = {"starting_after": page["data"][-1]["id"]}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """After payments that succeed, fail, need 3-D Secure, are refunded and disputed, and after each kind of error."""
    core = ComparedCore()
    for card in ("pm_card_visa", "pm_card_threeDSecure2Required", "pm_card_visa_chargeDeclined"):
        for wait in ({}, {"capture_method": "automatic"}):
            path = f"/v1/payment_intents/{core.intent(**wait, **{'metadata[orderID]': 'o1'})['id']}"
            core.call("POST", f"{path}/confirm", payment_method=card, return_url="https://example.com/")
            core.call("POST", path.replace("/v1/payment_intents", "/local/3ds"), outcome="complete")
            core.call("POST", f"{path}/capture")
            core.call("POST", f"{path}/cancel")
            core.get(path, **{"expand[]": "latest_charge"})
    failed = core.intent("requires_action")["id"]
    core.call("POST", f"/local/3ds/{failed}", outcome="fail")
    paid, won, lost = (core.intent("succeeded")["id"] for _ in range(3))
    core.post("/v1/refunds", payment_intent=paid, amount=400, reason="requested_by_customer")
    core.post("/v1/refunds", payment_intent=paid)
    for card in ("pm_card_pendingRefund", "pm_card_refundFail"):
        path = f"/v1/payment_intents/{core.intent(capture_method='automatic')['id']}"
        core.post(f"{path}/confirm", payment_method=card, return_url="https://example.com/")
        core.post("/v1/refunds", payment_intent=path.rpartition("/")[2])
        core.get(path, **{"expand[]": "latest_charge.refunds"})
        core.now += 60
        core.get(path, **{"expand[]": "latest_charge.refunds"})
    for intent, status in ((won, "won"), (lost, "lost")):
        disputed = core.post("/local/disputes", payment_intent=intent)
        core.post(f"/local/disputes/{disputed['id']}/close", status=status)
    for kind in ("payment_intents", "refunds", "disputes"):
        core.get(f"/v1/{kind}", limit=100)
    _connect(core)
    _make_errors(core, authorised=core.intent("requires_capture")["id"], refunded=paid, disputed=lost)
    core.compare_events()
    core.account.close()
    return core.comparison


def _connect(core: Core) -> None:
    """Accounts in every status, transfers, reversals, and the balances that they move."""
    accounts = {status: core.seller(status) for status in ("new", "incomplete", "pending", "restricted", "rejected")}
    ready = core.seller()
    core.call("POST", f"/v1/accounts/{ready}", **{"metadata[userID]": "u2"})
    urls = {"refresh_url": "http://shop.test/again", "return_url": "http://shop.test/back"}
    core.post("/v1/account_links", account=ready, type="account_onboarding", **urls)
    charge = core.sale()
    core.get(f"/v1/charges/{charge}", **{"expand[]": "balance_transaction"})
    made = core.post("/v1/transfers", amount=900, currency="usd", destination=ready, source_transaction=charge)
    for amount in (100, 800):
        core.post(f"/v1/transfers/{made['id']}/reversals", amount=amount, **{"metadata[attempt]": "1"})
    core.get(f"/v1/transfers/{made['id']}", **{"expand[]": "destination"})
    core.post("/v1/transfers", amount=900, currency="usd", destination=ready, source_transaction=charge)
    for destination in (accounts["new"], ready):
        core.call("POST", "/v1/transfers", amount=10**9, currency="usd", destination=destination)
    core.post(f"/local/accounts/{ready}/payout")
    for account in (None, ready):
        core.get("/v1/balance", acting_for=account)
        core.get("/v1/balance_transactions", acting_for=account, limit=100)
        core.get("/v1/events", acting_for=account, limit=100)
    core.call("GET", "/v1/balance", acting_for="acct_unknown")
    core.get("/v1/accounts", limit=100)
    core.call("DELETE", f"/v1/accounts/{accounts['rejected']}")


def _make_errors(core: Core, *, authorised: str, refunded: str, disputed: str) -> None:
    intents, new = "/v1/payment_intents", core.intent()["id"]
    core.call("GET", f"{intents}/pi_unknown")
    core.call("GET", "/v1/nothing")
    core.call("POST", intents, currency="usd")
    core.call("POST", intents, currency="usd", amount="1.5")
    core.call("POST", intents, currency="usd", amount=1)
    core.call("POST", intents, currency="usd", amount=10**12)
    core.call("POST", intents, currency="", amount=1000)
    core.call("POST", intents, currency="usd", amount=1000, colour="red")
    core.call("POST", f"{intents}/{authorised}/capture", amount_to_capture=1001)
    core.call("POST", f"{intents}/{authorised}/cancel", key="sk_test_wrong")
    core.browser("POST", f"{intents}/{authorised}/cancel")
    core.browser("GET", f"{intents}/{authorised}", client_secret="wrong")
    for intent in (authorised, refunded, disputed):
        core.call("POST", "/v1/refunds", payment_intent=intent)
    core.call("POST", intents, idempotency_key="one", currency="usd", amount=1000)
    core.call("POST", intents, idempotency_key="one", currency="usd", amount=2000)
    for card in ("expired_card", "incorrect_cvc", "processing_error"):
        name = "".join(part.title() for part in card.split("_"))
        core.call("POST", f"{intents}/{new}/confirm", payment_method=f"pm_card_chargeDeclined{name}")


def test_every_kind_of_object_was_compared(comparison: Comparison) -> None:
    assert {place for place in comparison.returned if "." not in place} == set(RETURNED)
    assert "payment_intent.next_action.redirect_to_url" in comparison.returned
    assert "charge.payment_method_details.card.three_d_secure" in comparison.returned


def test_no_field_is_invented(comparison: Comparison) -> None:
    assert comparison.invented == set()


def test_values_have_stripes_types(comparison: Comparison) -> None:
    assert comparison.mistyped == set()


def test_fields_that_stripe_always_returns_are_present(comparison: Comparison) -> None:
    assert comparison.missing == set()


@pytest.mark.parametrize("name", sorted({*RETURNED} - {"list", "payment_method"}))
def test_the_readme_lists_the_optional_fields_left_out(comparison: Comparison, name: str) -> None:
    fields = (ErrorObject if name == "error" else _sdk_class(name)).__annotations__
    row = re.search(rf"^\| `{name}` \| (.+) \|$", README, flags=re.MULTILINE)
    assert row
    assert sorted(re.findall(r"`(\w+)`", row[1])) == sorted(fields.keys() - comparison.returned[name] - {"OBJECT_NAME"})


def test_the_readme_lists_the_error_codes(comparison: Comparison) -> None:
    row = re.search(r"^\| Error codes \| (.+) \|$", README, flags=re.MULTILINE)
    assert row
    listed = set(re.findall(r"`(\w+)`", row[1]))
    stripes = {code for kind in _kinds(ERROR_FIELDS["code"]) for code in typing.get_args(kind)}
    literals = {text for file in FOLDER.glob("*.py") for text in re.findall(r'"(\w+)"', file.read_text())}
    assert listed == (literals & stripes) - {"insufficient_funds"}  # used as a decline code only
    assert comparison.codes <= listed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"colour": "red"}, "payment_intent.colour"),
        ({"amount": "1000"}, "payment_intent.amount: '1000'"),
        ({"status": "paid"}, "payment_intent.status: 'paid'"),
        ({"amount_details": {"tip": {"total": 1}}}, "payment_intent.amount_details.tip.total"),
        ({"capture_method": None}, "payment_intent.capture_method: None"),
    ],
)
def test_a_deviation_is_found(core: Core, change: Json, found: str) -> None:
    comparison = Comparison()
    comparison.compare(core.intent() | change)
    assert comparison.invented | comparison.mistyped == {found}


def test_a_missing_field_is_found(core: Core) -> None:
    comparison = Comparison()
    intent = core.intent()
    del intent["amount"]
    comparison.compare(intent)
    assert comparison.missing == {"payment_intent.amount"}
