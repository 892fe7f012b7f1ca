"""Connected accounts, transfers and balances of the local Stripe, in process and driven by the real `stripe` SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator.conftest import Core, request

if TYPE_CHECKING:
    from pathlib import Path

    from stripe_emulator import Reply
    from stripe_emulator.server import StripeServer
    from tests.emulator.conftest import Json

DAY = 24 * 3600
URLS = {"refresh_url": "http://shop.test/again", "return_url": "http://shop.test/back"}
FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}


def transfer(core: Core, account: str, amount: int = 900, **params: Any) -> Reply:
    return core.call("POST", "/v1/transfers", amount=amount, currency="usd", destination=account, **params)


def reverse(core: Core, transfer_id: str, **params: Any) -> Reply:
    return core.call("POST", f"/v1/transfers/{transfer_id}/reversals", **params)


# Accounts


@pytest.mark.parametrize(
    ("status", "capability", "submitted", "reason"),
    [
        ("new", "inactive", False, "requirements.past_due"),
        ("incomplete", "inactive", False, "requirements.past_due"),
        ("pending", "pending", True, "requirements.pending_verification"),
        ("ready", "active", True, None),
        ("restricted", "inactive", True, "requirements.past_due"),
        ("rejected", "inactive", True, "rejected.other"),
    ],
)
def test_only_a_ready_account_receives_transfers(
    core: Core, status: str, capability: str, submitted: bool, reason: str | None
) -> None:
    account = core.seller(status)

    shown = core.get(f"/v1/accounts/{account}")
    reply = transfer(core, account, source_transaction=core.sale())

    assert shown["capabilities"] == {"transfers": capability}
    assert (shown["details_submitted"], shown["payouts_enabled"]) == (submitted, status == "ready")
    assert shown["requirements"]["disabled_reason"] == reason
    assert bool(shown["requirements"]["currently_due"]) == (status in ("new", "incomplete", "restricted"))
    if status == "ready":
        assert (reply.status, reply.body["destination"]) == (200, account)
    else:
        assert (reply.status, reply.body["error"]["code"]) == (400, "insufficient_capabilities_for_transfer")
        assert core.get("/v1/transfers")["data"] == []


def test_an_account_shows_its_controller_and_metadata(core: Core) -> None:
    account = core.get(f"/v1/accounts/{core.seller()}")
    assert account["controller"]["stripe_dashboard"] == {"type": "express"}
    assert account["controller"]["fees"] == {"payer": "account"}
    assert account["metadata"] == {"userID": "u1"}
    changed = core.post(f"/v1/accounts/{account['id']}", **{"metadata[stage]": "dev"})
    assert changed["metadata"] == {"userID": "u1", "stage": "dev"}


def test_a_pending_account_is_verified_later(core: Core) -> None:
    account = core.seller("pending")
    core.now += 10
    assert core.get(f"/v1/accounts/{account}")["payouts_enabled"] is True


def test_a_deleted_account_is_out_of_reach(core: Core) -> None:
    account = core.seller()
    assert core.call("DELETE", f"/v1/accounts/{account}").body["deleted"] is True

    read = core.call("GET", f"/v1/accounts/{account}")
    sent = transfer(core, account, source_transaction=core.sale())

    assert (read.status, read.body["error"]["code"]) == (403, "account_invalid")
    assert (sent.status, sent.body["error"]["code"]) == (400, "resource_missing")


def test_an_account_with_money_cannot_be_deleted(core: Core) -> None:
    account = core.seller()
    assert transfer(core, account, source_transaction=core.sale()).status == 200
    assert core.call("DELETE", f"/v1/accounts/{account}").status == 400


def test_account_events_name_the_account_and_are_listed_there(core: Core) -> None:
    account = core.seller()
    [event] = core.get("/v1/events", acting_for=account)["data"]
    assert (event["type"], event["account"]) == ("account.updated", account)
    assert event["data"]["object"]["capabilities"] == {"transfers": "active"}
    assert core.events() == [], "the platform's own events"
    [webhook] = core.account.pending_webhooks()
    assert (webhook.event_type, webhook.url) == ("account.updated", "http://127.0.0.1:9/connect")
    stripe.WebhookSignature.verify_header(webhook.body.decode(), webhook.headers["Stripe-Signature"], "whsec_connect")


# Onboarding


def test_an_account_link_works_once_and_for_five_minutes(core: Core) -> None:
    links = [
        core.post("/v1/account_links", account=core.seller("new"), type="account_onboarding", **URLS) for _ in range(2)
    ]
    first, second = (urlsplit(link["url"]).path for link in links)

    opened = [core.post(f"{first}/open")["is_valid"] for _ in range(2)]
    core.now += 300
    late = core.post(f"{second}/open")

    assert links[0]["expires_at"] == links[0]["created"] + 300
    assert opened == [True, False]
    assert (late["is_valid"], late["refresh_url"]) == (False, URLS["refresh_url"])


@pytest.mark.parametrize(
    ("outcome", "capability"),
    [("complete", "active"), ("pending", "pending"), ("incomplete", "inactive"), ("leave", "inactive")],
)
def test_onboarding_leaves_the_account_in_the_chosen_state(core: Core, outcome: str, capability: str) -> None:
    account = core.seller("new")
    path = urlsplit(core.post("/v1/account_links", account=account, type="account_onboarding", **URLS)["url"]).path

    left = core.post(path, outcome=outcome)

    assert left == {"account": account, "return_url": URLS["return_url"]}
    assert core.get(f"/v1/accounts/{account}")["capabilities"] == {"transfers": capability}
    assert core.call("POST", path, outcome="complete").status == 400, "used"


def test_an_onboarding_link_needs_its_urls_and_an_account(core: Core) -> None:
    account = core.seller("new")
    missing = core.call(
        "POST", "/v1/account_links", account=account, type="account_onboarding", return_url="http://s.t"
    )
    unknown = core.call("POST", "/v1/account_links", account="acct_no", type="account_onboarding", **URLS)
    assert (missing.status, missing.body["error"]["param"]) == (400, "refresh_url")
    assert (unknown.status, unknown.body["error"]["code"]) == (403, "account_invalid")


# Transfers


def test_a_source_pays_before_its_money_is_available(core: Core) -> None:
    account, charge = core.seller(), core.sale()

    without = transfer(core, account)
    metadata: Json = {"metadata[orderID]": "o1"}
    made = transfer(core, account, source_transaction=charge, **metadata)

    assert without.body["error"]["code"] == "balance_insufficient"
    assert (made.status, made.body["source_transaction"], made.body["metadata"]) == (200, charge, {"orderID": "o1"})
    assert (core.funds(), core.funds(account)) == ((0, 100), (0, 900))
    core.now += 2 * DAY
    assert (core.funds(), core.funds(account)) == ((100, 0), (900, 0))
    assert core.events()[-1] == "transfer.created"


def test_available_money_pays_without_a_source(core: Core) -> None:
    account = core.seller()
    core.sale(card="pm_card_bypassPending")
    assert transfer(core, account, 1001).body["error"]["code"] == "balance_insufficient"
    assert transfer(core, account, 1000).status == 200
    assert core.funds() == (0, 0)


def test_transfers_never_exceed_their_source(core: Core) -> None:
    account, charge = core.seller(), core.sale()
    core.sale(card="pm_card_bypassPending")
    first = transfer(core, account, 900, source_transaction=charge).body

    again = transfer(core, account, 900, source_transaction=charge)

    assert (again.status, again.body["error"]["param"]) == (400, "amount")
    assert transfer(core, account, 100, source_transaction=charge).status == 200
    reverse(core, first["id"])
    assert transfer(core, account, 900, source_transaction=charge).status == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"source_transaction": "ch_none"}, "resource_missing"),
        ({"destination": "acct_none"}, "resource_missing"),
        ({"currency": "eur"}, None),
        ({"amount": 0}, "parameter_invalid_integer"),
        ({"destination": None}, "parameter_missing"),
        ({"colour": "red"}, "parameter_unknown"),
    ],
)
def test_an_invalid_transfer_moves_nothing(core: Core, change: dict[str, Any], code: str | None) -> None:
    right = {"amount": 900, "currency": "usd", "destination": core.seller(), "source_transaction": core.sale()}
    params: Json = {name: value for name, value in (right | change).items() if value is not None}
    reply = core.call("POST", "/v1/transfers", **params)
    assert (reply.status, reply.body["error"].get("code")) == (400, code)
    assert (core.get("/v1/transfers")["data"], core.funds()) == ([], (0, 1000))


def test_an_authorised_charge_is_no_source(core: Core) -> None:
    charge = core.intent("requires_capture")["latest_charge"]
    assert transfer(core, core.seller(), source_transaction=charge).status == 400


def test_a_transfer_has_the_group_of_its_charge(core: Core) -> None:
    account = core.seller()
    grouped = core.intent("requires_capture", transfer_group="order-1", capture_method="automatic")["latest_charge"]
    alone = core.sale()

    first = transfer(core, account, source_transaction=grouped).body
    second = transfer(core, account, source_transaction=alone).body

    assert first["transfer_group"] == "order-1"
    assert second["transfer_group"] == core.get(f"/v1/charges/{alone}")["transfer_group"] == f"group_{alone}"
    assert [row["id"] for row in core.get("/v1/transfers", transfer_group="order-1")["data"]] == [first["id"]]
    assert len(core.get("/v1/transfers", destination=account)["data"]) == 2


def test_a_refused_transfer_is_replayed_under_its_key(core: Core) -> None:
    """The next attempt needs a key of its own, even once the account is ready."""
    account, charge = core.seller("restricted"), core.sale()
    params: Json = {"source_transaction": charge, "idempotency_key": "payout/o1/transfer/1"}
    first = transfer(core, account, **params)
    core.post(f"/local/accounts/{account}", status="ready")

    again = transfer(core, account, **params)
    other = transfer(core, account, **params | {"idempotency_key": "payout/o1/transfer/2"})
    repeated = transfer(core, account, **params | {"idempotency_key": "payout/o1/transfer/2"})

    assert (first.status, again.status, again.headers["Idempotent-Replayed"]) == (400, 400, "true")
    assert (other.status, repeated.body["id"]) == (200, other.body["id"])
    assert len(core.get("/v1/transfers")["data"]) == 1


@pytest.mark.parametrize(("kind", "status"), [("invalid_request_error", 400), ("api_error", 500)])
def test_transfers_can_be_refused_or_fail_for_a_time(core: Core, kind: str, status: int) -> None:
    account, charge = core.seller(), core.sale()
    core.post("/local/refusals", account=account, call="transfer", code="account_invalid", type=kind, seconds=60)
    assert transfer(core, account, source_transaction=charge).status == status
    core.now += 60
    made = transfer(core, account, source_transaction=charge)
    core.post("/local/refusals", account=account, call="reversal", code="account_invalid", type=kind, seconds=60)
    assert reverse(core, made.body["id"]).status == status
    core.now += 60
    assert reverse(core, made.body["id"]).status == 200


def test_a_refusal_names_one_subject(core: Core) -> None:
    assert core.call("POST", "/local/refusals", call="transfer", code="account_invalid").status == 400


# Reversals


def test_a_transfer_is_reversed_in_parts_and_never_beyond(core: Core) -> None:
    account = core.seller()
    made = transfer(core, account, source_transaction=core.sale()).body["id"]

    part = reverse(core, made, amount=400, **{"metadata[attempt]": "1"})
    too_much = reverse(core, made, amount=501)
    rest = reverse(core, made)
    once_more = reverse(core, made)

    assert (part.body["amount"], part.body["metadata"], rest.body["amount"]) == (400, {"attempt": "1"}, 500)
    assert (too_much.status, once_more.status) == (400, 400)
    shown = core.get(f"/v1/transfers/{made}")
    assert (shown["amount_reversed"], shown["reversed"]) == (900, True)
    ids = [rest.body["id"], part.body["id"]]
    assert [row["id"] for row in shown["reversals"]["data"]] == ids
    assert [row["id"] for row in core.get(f"/v1/transfers/{made}/reversals")["data"]] == ids
    assert core.get(f"/v1/transfers/{made}/reversals/{ids[0]}") == rest.body
    assert (sum(core.funds()), sum(core.funds(account))) == (1000, 0)
    assert core.events().count("transfer.reversed") == 2


def test_a_reversal_needs_the_money_of_the_account(core: Core) -> None:
    account = core.seller()
    made = transfer(core, account, source_transaction=core.sale()).body["id"]
    core.post(f"/local/accounts/{account}/payout")

    refused = reverse(core, made, idempotency_key="payout/o1/reversal/2")
    transfer(core, account, source_transaction=core.sale())
    again = reverse(core, made, idempotency_key="payout/o1/reversal/3")

    assert (refused.status, refused.body["error"]["code"]) == (400, "balance_insufficient")
    assert (again.status, sum(core.funds(account))) == (200, 0)


# Balances


def test_every_movement_is_a_balance_transaction(core: Core) -> None:
    account, charge = core.seller(), core.sale()
    made = transfer(core, account, source_transaction=charge).body
    reverse(core, made["id"], amount=100)
    disputed = core.intent("succeeded")["id"]
    dispute = core.post("/local/disputes", payment_intent=disputed)
    core.post(f"/local/disputes/{dispute['id']}/close", status="won")
    core.post("/v1/refunds", charge=charge)

    def listed(acting_for: str | None) -> list[tuple[str, str, int]]:
        found = core.get("/v1/balance_transactions", limit=100, acting_for=acting_for)["data"][::-1]
        return [(row["type"], row["reporting_category"], row["net"]) for row in found]

    assert listed(None) == [
        ("charge", "charge", 1000),
        ("transfer", "transfer", -900),
        ("transfer_refund", "transfer_reversal", 100),
        ("charge", "charge", 1000),
        ("adjustment", "dispute", -1000),
        ("adjustment", "dispute_reversal", 1000),
        ("refund", "refund", -1000),
    ]
    assert listed(account) == [("payment", "charge", 900), ("payment_refund", "refund", -100)]
    [own] = core.get("/v1/balance_transactions", source=made["id"])["data"]
    assert own == core.get(f"/v1/balance_transactions/{made['balance_transaction']}")
    assert [row["net"] for row in core.get("/v1/balance_transactions", type="refund")["data"]] == [-1000]
    assert core.call("GET", f"/v1/balance_transactions/{own['id']}", acting_for=account).status == 404


def test_a_failed_refund_returns_to_the_balance(core: Core) -> None:
    charge = core.sale(card="pm_card_refundFail")
    core.post("/v1/refunds", charge=charge)
    assert sum(core.funds()) == 0
    core.now += 60
    assert sum(core.funds()) == 1000


def test_a_lost_dispute_leaves_the_money_with_the_bank(core: Core) -> None:
    dispute = core.post("/local/disputes", payment_intent=core.intent("succeeded")["id"])
    closed = core.post(f"/local/disputes/{dispute['id']}/close", status="lost")
    assert sum(core.funds()) == 0
    assert [row["net"] for row in closed["balance_transactions"]] == [-1000]


def test_calls_for_a_connected_account_are_limited(core: Core) -> None:
    assert core.call("GET", "/v1/balance", acting_for="acct_none").body["error"]["code"] == "account_invalid"
    assert core.call("GET", "/v1/transfers", acting_for=core.seller()).status == 400


_STEPS = st.lists(
    st.tuples(st.sampled_from(["sale", "refund", "send", "reverse", "dispute", "won", "lost"]), st.integers(1, 1200)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_the_balances_add_up_after_every_step(steps: list[tuple[str, int]]) -> None:
    """What the platform has is what was captured, less what went to buyers, banks and sellers."""
    core = Core()
    account, charges = core.seller(), [core.sale()]
    for step, amount in steps:
        charge = core.get(f"/v1/charges/{charges[-1]}")
        transfers = core.get("/v1/transfers")["data"]
        match step:
            case "sale":
                charges.append(core.sale())
            case "refund":
                core.call("POST", "/v1/refunds", charge=charge["id"], amount=amount)
            case "send":
                transfer(core, account, amount, source_transaction=charge["id"])
            case "reverse" if transfers:
                reverse(core, transfers[0]["id"], amount=amount)
            case "dispute":
                core.call("POST", "/local/disputes", payment_intent=charge["payment_intent"])
            case "won" | "lost":
                for dispute in core.get("/v1/disputes")["data"]:
                    core.call("POST", f"/local/disputes/{dispute['id']}/close", status=step)
        shown = [core.get(f"/v1/charges/{found}") for found in charges]
        sent = sum(row["amount"] - row["amount_reversed"] for row in core.get("/v1/transfers", limit=100)["data"])
        with_banks = sum(row["amount"] for row in core.get("/v1/disputes", limit=100)["data"] if row["status"] != "won")
        kept = sum(row["amount_captured"] - row["amount_refunded"] for row in shown)
        assert sum(core.funds()) == kept - with_banks - sent
        assert sum(core.funds(account)) == sent
    core.account.close()


# Through the SDK, and over a restart


def test_the_sdk_onboards_a_seller_and_pays(server: StripeServer, sdk: stripe.StripeClient) -> None:
    account = sdk.v1.accounts.create(
        {
            "country": "US",
            "controller": {
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "requirement_collection": "stripe",
                "stripe_dashboard": {"type": "express"},
            },
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"userID": "u1"},
        }
    )
    link = sdk.v1.account_links.create(
        {
            "account": account.id,
            "type": "account_onboarding",
            "return_url": URLS["return_url"],
            "refresh_url": URLS["refresh_url"],
        }
    )
    page = link.url.removeprefix(server.url)
    status, _, text = request(server, "GET", page)
    assert (status, "Enter all details" in text, account.id in text) == (200, True, True)
    status, headers, _ = request(server, "GET", page)
    assert (status, headers["Location"]) == (303, URLS["refresh_url"])
    status, headers, _ = request(server, "POST", page, FORM, outcome="complete")
    assert (status, headers["Location"]) == (303, URLS["return_url"])

    intent = sdk.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
        }
    )
    made = sdk.v1.transfers.create(
        {
            "amount": 900,
            "currency": "usd",
            "destination": account.id,
            "source_transaction": str(intent.latest_charge),
            "transfer_group": "o1",
            "metadata": {"orderID": "o1", "attempt": "1"},
        },
        {"idempotency_key": "payout/o1/transfer/1"},
    )
    undone = sdk.v1.transfers.reversals.create(made.id, {"amount": 400})

    ready = sdk.v1.accounts.retrieve(account.id)
    assert ready.capabilities is not None
    assert (ready.capabilities.transfers, ready.payouts_enabled) == ("active", True)
    [found] = sdk.v1.transfers.list({"transfer_group": "o1"}).data
    assert (found.id, found.amount_reversed, found.reversals.data[0].id) == (made.id, 400, undone.id)
    theirs = sdk.v1.balance.retrieve({}, {"stripe_account": account.id})
    assert (theirs.pending[0].amount, sdk.v1.balance.retrieve().pending[0].amount) == (500, 500)
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        sdk.v1.transfers.reversals.create(made.id, {"amount": 501})
    assert too_much.value.param == "amount"
    with pytest.raises(stripe.PermissionError):
        sdk.v1.accounts.retrieve("acct_none")


def test_an_unknown_onboarding_page_is_404(server: StripeServer) -> None:
    status, _, text = request(server, "GET", "/local/onboarding/none")
    assert (status, json.loads(text)["error"]["code"]) == (404, "resource_missing")


def test_accounts_and_transfers_survive_a_restart(tmp_path: Path) -> None:
    before = Core(tmp_path / "stripe.json")
    account, charge = before.seller(), before.sale()
    made = transfer(before, account, source_transaction=charge).body
    before.account.close()

    after = Core(tmp_path / "stripe.json", seed=8)

    assert after.get(f"/v1/transfers/{made['id']}") == made
    assert (after.funds(), after.funds(account)) == ((0, 100), (0, 900))
    after.account.close()
