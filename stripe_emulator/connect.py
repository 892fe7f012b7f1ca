"""Connected accounts, their onboarding, and transfers to them (docs: "Create separate charges and transfers").

    new ──► incomplete ──► pending ──► ready ◄──► restricted ──► rejected

Only a `ready` account can receive transfers. A transfer moves money from the platform's balance to the account's, a
reversal moves it back. A refused call raises StripeError and changes nothing.
"""

from collections.abc import Callable
from typing import Protocol

from stripe_emulator import objects
from stripe_emulator.balances import Balances
from stripe_emulator.refusals import Refusals
from stripe_emulator.state import Tables
from stripe_emulator.wire import Json, Reply, StripeError, missing_object

LINK_SECONDS = 300
"""After this time an account link leads to its `refresh_url`."""
VERIFICATION_SECONDS = 10
"""After this time the verification of a `pending` account ends."""


class Emit(Protocol):
    """Reports an event, of a connected account if it is named."""

    def __call__(self, kind: str, subject: Json, *, account: str | None = None) -> None: ...


class Connect:
    """Moves the objects in `tables` and reports each step to `emit`. Does not commit."""

    def __init__(
        self,
        tables: Tables,
        balances: Balances,
        refusals: Refusals,
        *,
        clock: Callable[[], float],
        ids: Callable[[str], str],
        emit: Emit,
        public_url: str,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._ids = ids
        self._emit = emit
        self._public_url = public_url
        self._balances = balances
        self._refusals = refusals

    # Accounts

    def create_account(self, params: Json) -> Reply:
        made = objects.account(self._ids("acct_"), self._now(), params)
        self._save(made)
        return Reply(200, {}, made)

    def retrieve_account(self, account_id: str) -> Reply:
        return Reply(200, {}, self.account(account_id))

    def update_account(self, account_id: str, params: Json) -> Reply:
        found = self.account(account_id)
        found["metadata"] |= params.get("metadata", {})
        found["email"] = params.get("email", found["email"])
        self._save(found)
        self._emit("account.updated", found, account=account_id)
        return Reply(200, {}, found)

    def delete_account(self, account_id: str) -> Reply:
        """Delete the account, which must have no money (docs: "Delete an account")."""
        found = self.account(account_id)
        if self._balances.total(account_id, found["default_currency"]):
            raise StripeError(400, "This account has a balance, so it cannot be deleted.", code="account_invalid")
        self._tables.delete("accounts", account_id)
        self._tables.delete("verifications", account_id)
        return Reply(200, {}, {"id": account_id, "object": "account", "deleted": True})

    def account(self, account_id: str) -> Json:
        """Raises StripeError for an account that is unknown, or was deleted."""
        found = self._tables.get("accounts", account_id)
        if found is None:
            raise StripeError(
                403,
                f"The provided key does not have access to account '{account_id}' (or that account does not exist). "
                "Application access may have been revoked.",
                code="account_invalid",
            )
        return found

    def set_status(self, account_id: str, status: str) -> Reply:
        """Bring the account to a status. Not in Stripe's API: Stripe decides."""
        found = self.account(account_id)
        found |= objects.account_status(found, status)
        self._save(found)
        self._tables.delete("verifications", account_id)
        if status == "pending":
            self._tables.put("verifications", account_id, {"due": self._clock() + VERIFICATION_SECONDS})
        self._emit("account.updated", found, account=account_id)
        return Reply(200, {}, found)

    def expire(self) -> None:
        """End the verifications that are due: the accounts are ready."""
        due = [account for account, row in self._tables.rows("verifications") if row["due"] <= self._clock()]
        for account_id in due:
            self.set_status(account_id, "ready")

    # Onboarding (docs: "Stripe-hosted onboarding")

    def create_link(self, params: Json) -> Reply:
        account_id = self.account(params["account"])["id"]
        if params["type"] == "account_onboarding" and not {"return_url", "refresh_url"} <= params.keys():
            name = "return_url" if "return_url" not in params else "refresh_url"
            raise StripeError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
        token = self._ids("")
        expires_at = self._now() + LINK_SECONDS
        urls = {name: params.get(name) for name in ("return_url", "refresh_url")}
        link = {"account": account_id, "expires_at": expires_at, "is_opened": False, "is_finished": False, **urls}
        self._tables.put("onboarding", token, link)
        url = f"{self._public_url}/local/onboarding/{token}"
        return Reply(200, {}, objects.account_link(self._now(), expires_at, url))

    def open_link(self, token: str) -> Reply:
        """Open the page of an account link, which works once and for five minutes. Not in Stripe's API."""
        link = self._link(token)
        is_valid = not (link["is_opened"] or link["is_finished"]) and self._clock() < link["expires_at"]
        self._tables.put("onboarding", token, link | {"is_opened": True})
        return Reply(200, {}, {"account": link["account"], "is_valid": is_valid, "refresh_url": link["refresh_url"]})

    def finish_link(self, token: str, outcome: str) -> Reply:
        """Leave the page, with or without having changed the account. Not in Stripe's API: the page calls it."""
        link = self._link(token)
        if link["is_finished"]:
            raise StripeError(400, "This account link has been used.")
        self._tables.put("onboarding", token, link | {"is_finished": True})
        if outcome != "leave":
            self.set_status(link["account"], "ready" if outcome == "complete" else outcome)
        return Reply(200, {}, {"account": link["account"], "return_url": link["return_url"]})

    def _link(self, token: str) -> Json:
        link = self._tables.get("onboarding", token)
        if link is None:
            raise missing_object("account_link", token, "account_link", in_path=True)
        return link

    # Transfers

    def transfer(self, params: Json) -> Reply:
        account_id, currency, amount = params["destination"], params["currency"].lower(), params["amount"]
        destination = self._tables.get("accounts", account_id)
        if destination is None:
            raise missing_object("destination", account_id, "destination")
        self._refusals.check(account_id, "transfer")
        if destination["capabilities"].get("transfers") != "active":
            raise StripeError(
                400,
                "Your destination account needs to have at least one of the following capabilities enabled: "
                "transfers, crypto_transfers, legacy_payments",
                code="insufficient_capabilities_for_transfer",
            )
        charged = self._source(params, currency)
        if charged is None and self._balances.available(None, currency) < amount:
            raise StripeError(
                400,
                "You have insufficient available funds in your Stripe account. Try adding funds directly to your "
                "available balance by creating Charges using the 4000000000000077 test card. See: "
                "https://stripe.com/docs/testing#available-balance",
                code="balance_insufficient",
            )
        group = params.get("transfer_group")
        if charged is not None:
            group = self._grouped(charged, group)
        made = objects.transfer(
            self._ids("tr_"), self._ids("py_"), self._now(), params | {"currency": currency, "transfer_group": group}
        )
        available_on = self._balances.available_on(charged["balance_transaction"]) if charged else None
        self._balances.post(made, -amount, ("transfer", "transfer"), available_on=available_on)
        payment = made | {"id": made["destination_payment"]}
        self._balances.post(payment, amount, ("payment", "charge"), owner=account_id, available_on=available_on)
        self._save(made)
        self._emit("transfer.created", made)
        return Reply(200, {}, made)

    def reverse(self, transfer_id: str, params: Json) -> Reply:
        reversed_ = self.retrieve_transfer(transfer_id)
        left = reversed_["amount"] - reversed_["amount_reversed"]
        amount = params.get("amount", left)
        if left == 0:
            raise StripeError(400, f"The transfer {transfer_id} is already fully reversed.")
        if amount > left:
            raise StripeError(
                400,
                f"Reversal amount ({amount}) is greater than unreversed amount on transfer ({left})",
                param="amount",
            )
        account_id = reversed_["destination"]
        self._refusals.check(account_id, "reversal")
        if self._balances.total(account_id, reversed_["currency"]) < amount:
            raise StripeError(
                400,
                "Insufficient funds in the connected account's balance for this reversal.",
                code="balance_insufficient",
            )
        made = objects.transfer_reversal(self._ids("trr_"), self._now(), reversed_, amount, params)
        # Money that was sent while it was pending comes back as pending.
        available_on = max(self._now(), self._balances.available_on(reversed_["balance_transaction"]))
        self._balances.post(made, amount, ("transfer_refund", "transfer_reversal"), available_on=available_on)
        taken = made | {"id": made["destination_payment_refund"]}
        kind = ("payment_refund", "refund")
        self._balances.post(taken, -amount, kind, owner=account_id, mark="P", available_on=available_on)
        reversed_["amount_reversed"] += amount
        reversed_["reversed"] = amount == left
        found = [made, *reversed_["reversals"]["data"]]
        reversed_["reversals"] |= {
            "data": found[:10],
            "has_more": reversed_["reversals"]["has_more"] or len(found) > 10,
        }
        self._save(made, reversed_)
        self._emit("transfer.reversed", reversed_)
        return Reply(200, {}, made)

    def pay_out(self, account_id: str) -> Reply:
        """Pay the account's whole balance to its bank. Not a call of the platform: Stripe does it on a schedule."""
        found = self.account(account_id)
        currency = found["default_currency"]
        paid = {"id": self._ids("po_"), "currency": currency}
        amount = self._balances.total(account_id, currency)
        return Reply(200, {}, self._balances.post(paid, -amount, ("payout", "payout"), owner=account_id))

    def retrieve_transfer(self, transfer_id: str) -> Json:
        found = self._tables.get("transfers", transfer_id)
        if found is None:
            raise missing_object("transfer", transfer_id, "transfer", in_path=True)
        return found

    def _source(self, params: Json, currency: str) -> Json | None:
        """The charge that pays for the transfer. All its transfers together must not exceed it."""
        if "source_transaction" not in params:
            return None
        charged = self._tables.get("charges", params["source_transaction"])
        if charged is None:
            raise missing_object("charge", params["source_transaction"], "source_transaction")
        if charged["currency"] != currency:
            raise StripeError(
                400,
                f"The currency of source_transaction's balance transaction ({charged['currency']}) must be the same "
                f"as the transfer currency ({currency})",
                param="currency",
            )
        others = (row for row in self._tables.newest("transfers") if row["source_transaction"] == charged["id"])
        left = charged["amount_captured"] - sum(row["amount"] - row["amount_reversed"] for row in others)
        if params["amount"] > left:
            raise StripeError(
                400,
                "Transfers using this transaction as a source must not exceed the source amount of "
                f"{charged['amount_captured']}. (There are already existing transfers using this source, and "
                f"{left} is left.)",
                param="amount",
            )
        return charged

    def _grouped(self, charged: Json, group: str | None) -> str:
        """The transfer's group: the charge's if none is given, which gets one with its first transfer."""
        chosen: str = group or charged["transfer_group"] or f"group_{charged['id']}"
        if charged["transfer_group"] is None:
            charged["transfer_group"] = chosen
            self._save(charged)
        return chosen

    # Storage

    def _now(self) -> int:
        return int(self._clock())

    def _save(self, *changed: Json) -> None:
        for item in changed:
            self._tables.put(f"{item['object']}s", item["id"], item)
