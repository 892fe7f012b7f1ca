"""The balances of the platform and of its connected accounts (docs: "Balances and settlement time").

Every movement of money is a balance transaction. Stripe's own fees are not charged.
"""

from collections.abc import Callable

from stripe_emulator import objects
from stripe_emulator.state import Tables
from stripe_emulator.wire import Json

SETTLEMENT_SECONDS = 2 * 24 * 3600
"""After this time the money of a card payment is available. Until then it is pending."""


class Balances:
    """Posts and sums balance transactions. Does not commit. `owner` is a connected account; None is the platform."""

    def __init__(self, tables: Tables, *, clock: Callable[[], float]) -> None:
        self._tables = tables
        self._clock = clock

    def post(
        self,
        source: Json,
        amount: int,
        kind: tuple[str, str],
        *,
        owner: str | None = None,
        transaction_id: str | None = None,
        mark: str = "",
        available_on: int | None = None,
    ) -> Json:
        """Add a transaction of `kind` (type and reporting category), available at once unless stated otherwise.

        Its id follows from the source's and `mark`, so that no transaction changes the ids of other objects.
        """
        now = int(self._clock())
        made = objects.balance_transaction(
            transaction_id or f"txn_{source['id'].partition('_')[2]}{mark}",
            now,
            source,
            amount,
            kind,
            available_on or now,
        )
        self._tables.put("balance_transactions", made["id"], made)
        if owner is not None:
            # Kept beside the transaction, not in it: Stripe shows it to its owner only.
            self._tables.put("balance_owners", made["id"], {"owner": owner})
        return self.shown(made)

    def shown(self, transaction: Json) -> Json:
        """The transaction with its status at this time."""
        is_available = transaction["available_on"] <= self._clock()
        return transaction | {"status": "available" if is_available else "pending"}

    def is_of(self, owner: str | None, transaction: Json) -> bool:
        row = self._tables.get("balance_owners", transaction["id"])
        return (row["owner"] if row else None) == owner

    def available_on(self, transaction_id: str | None) -> int:
        """When the money of a transaction is available; now if it is not known."""
        found = self._tables.get("balance_transactions", transaction_id) if transaction_id else None
        return int(found["available_on"] if found else self._clock())

    def balance(self, owner: str | None) -> Json:
        """Stripe's Balance object."""
        available, pending = self._sums(owner)
        currencies = sorted(available | pending) or ["usd"]
        return {
            "object": "balance",
            "available": [_funds(currency, available.get(currency, 0)) for currency in currencies],
            "livemode": False,
            "pending": [_funds(currency, pending.get(currency, 0)) for currency in currencies],
        }

    def available(self, owner: str | None, currency: str) -> int:
        return self._sums(owner)[0].get(currency, 0)

    def total(self, owner: str | None, currency: str) -> int:
        """Available and pending."""
        return sum(sums.get(currency, 0) for sums in self._sums(owner))

    def _sums(self, owner: str | None) -> tuple[dict[str, int], dict[str, int]]:
        available: dict[str, int] = {}
        pending: dict[str, int] = {}
        for _, row in self._tables.rows("balance_transactions"):
            if self.is_of(owner, row):
                sums = available if row["available_on"] <= self._clock() else pending
                sums[row["currency"]] = sums.get(row["currency"], 0) + row["net"]
        return available, pending


def _funds(currency: str, amount: int) -> Json:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
