"""The calls to Stripe that concern sellers' money, with a key of their own.

Only the functions that may read the secret `PayoutKeys` can make them: the key of the other functions of Payments has
no rights to accounts and transfers, and this one cannot change PaymentIntents (docs/operations.md).

Calls that act take their idempotency key from the caller, who has stored it before: Stripe answers a repetition with
its first answer, whatever happened in between.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn, Self

import stripe

from functions.payments.circuit_breaker import CircuitBreaker
from functions.payments.connected_account import AccountView
from functions.payments.earnings import Answer, AtStripe, Operation, OperationKind, Reversal, Sale, Transfer
from functions.payments.payment import Intent, PaymentError, PaymentsNotConfigured, StripeUnavailable
from functions.payments.stripe_gateway import (
    BUYER_TIMEOUT_SECONDS,
    CURRENT_API,
    KEYS_TTL,
    TIMEOUT_SECONDS,
    IntentReader,
    closed_circuit,
)
from shared import aws, clock, settings
from shared.ids import OrderID, UserID
from shared.money import MinorUnits
from shared.secret_cache import SecretCache
from shared.telemetry import logger

if TYPE_CHECKING:
    from stripe import RequestOptions
    from stripe.params import TransferCreateParams

PAGE = 100  # transfers or reversals, the maximum of Stripe


class AccountMissing(PaymentError):
    """The account does not exist at Stripe any more, or this platform has lost access to it."""


class Refused(PaymentError):
    """Stripe refuses the call. Under the same idempotency key it would refuse it again. `code` is Stripe's, if any."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ServerError(StripeUnavailable):
    """Stripe answered with an error of its own. The outcome is unknown, and the key answers this error for a day."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of sellers' money. `stripe_api_base` is set only where an emulator replaces Stripe."""

    stage: str
    payout_secret_arn: str
    stripe_api_base: str = CURRENT_API


@dataclass(frozen=True, slots=True)
class PayoutKeys:
    """The keys of this stage for sellers' money."""

    secret: str
    connect_webhook: str


@dataclass(frozen=True, slots=True)
class OnboardingLink:
    """The address of Stripe's pages on which a seller enters their details; works once."""

    url: str
    expires_at: datetime


def _read_keys() -> PayoutKeys:
    secret = aws.secretsmanager().get_secret_value(SecretId=settings.load(Settings).payout_secret_arn)
    stored = json.loads(secret["SecretString"])
    return PayoutKeys(stored["secretKey"], stored["connectWebhookSecret"])


class _CachedKeys(SecretCache[PayoutKeys]):
    def __init__(self) -> None:
        super().__init__(_read_keys, ttl=KEYS_TTL)


_cached = _CachedKeys()


def keys() -> PayoutKeys:
    """Return the keys, read from Secrets Manager at most once a minute.

    While Secrets Manager does not respond, the cached keys stay in use. Raises PaymentsNotConfigured if the secret key
    is empty.
    """
    found = _cached.get()
    if not found.secret:
        raise PaymentsNotConfigured("payouts are not set up: the payout secret of this stage holds no key")
    return found


class PayoutGateway(IntentReader):
    """The Stripe calls about sellers.

    Every method may raise StripeUnavailable (ServerError after an answer), PaymentsNotConfigured, Refused and
    AccountMissing.
    """

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS, breaker: CircuitBreaker | None = None) -> None:
        env = settings.load(Settings)
        super().__init__(
            keys().secret,
            stage=env.stage,
            api_base=env.stripe_api_base,
            timeout_seconds=timeout_seconds,
            breaker=breaker,
        )

    @classmethod
    def for_seller(cls) -> Self:
        """Return a gateway for one request for which a seller waits.

        Raises StripeUnavailable while the circuit is open, and PaymentsNotConfigured.
        """
        return cls(breaker=closed_circuit(), timeout_seconds=BUYER_TIMEOUT_SECONDS)

    def create_account(self, user_id: UserID, *, key: str) -> AccountView:
        """Create a connected account that can receive transfers, under this idempotency key.

        The seller enters all details on Stripe's pages. The platform pays Stripe's fees and bears losses, as separate
        charges and transfers require. Source: Stripe, "Controller properties".
        """
        return self._account(
            lambda: self._client.v1.accounts.create(
                {
                    "controller": {
                        "fees": {"payer": "application"},
                        "losses": {"payments": "application"},
                        "requirement_collection": "stripe",
                        "stripe_dashboard": {"type": "express"},
                    },
                    "capabilities": {"transfers": {"requested": True}},
                    "metadata": {"stage": self.stage, "userID": user_id},
                },
                {"idempotency_key": key},
            )
        )

    def account(self, account_id: str) -> AccountView:
        """Read an account."""
        return self._account(lambda: self._client.v1.accounts.retrieve(account_id))

    def onboarding_link(self, account_id: str, *, return_url: str, refresh_url: str) -> OnboardingLink:
        """Create a link to the account's onboarding pages, which lead to `return_url`.

        A link that has expired or was used leads to `refresh_url`. Source: Stripe, "Stripe-hosted onboarding".
        """
        made: stripe.AccountLink = self._call(
            lambda: self._client.v1.account_links.create(
                {
                    "account": account_id,
                    "type": "account_onboarding",
                    "return_url": return_url,
                    "refresh_url": refresh_url,
                    "collection_options": {"fields": "eventually_due"},
                }
            )
        )
        return OnboardingLink(made.url, clock.from_millis(made.expires_at * 1000))

    def money(self, stripe_id: str, order_id: OrderID) -> AtStripe:
        """Read what Stripe shows of an order's money: its PaymentIntent, and all transfers of the order's group."""
        intent = self.retrieve(stripe_id)
        page = self._call(lambda: self._client.v1.transfers.list({"transfer_group": order_id, "limit": PAGE}))
        found = list(page.data)
        while page.has_more:
            page = self._call(page.next_page)
            found += page.data
        return AtStripe(intent=intent, transfers=tuple(map(self._transfer, found)))

    def execute(self, operation: Operation, sale: Sale, intent: Intent) -> Answer | None:
        """Let Stripe make a transfer or a reversal, under the operation's key. Returns None if it has made it.

        Otherwise returns its final answer under this key. Raises StripeUnavailable if there is none: the same operation
        may be repeated.
        """
        try:
            self._call(lambda: self._move(operation, sale, intent))
        except (Refused, AccountMissing) as refusal:
            logger.warning("Stripe refused an operation", key=operation.key(sale.order_id), reason=str(refusal))
            return Answer.REFUSED
        except ServerError as error:
            logger.warning("Stripe failed", key=operation.key(sale.order_id), reason=str(error))
            return Answer.FAILED
        return None

    def _move(self, operation: Operation, sale: Sale, intent: Intent) -> object:
        metadata = {"stage": self.stage, "orderID": sale.order_id, "number": str(operation.number)}
        options: RequestOptions = {"idempotency_key": operation.key(sale.order_id)}
        if operation.kind is OperationKind.REVERSAL:
            reversals = self._client.v1.transfers.reversals
            return reversals.create(operation.target, {"amount": operation.amount, "metadata": metadata}, options)
        params: TransferCreateParams = {
            "amount": operation.amount,
            "currency": sale.currency,
            "destination": operation.target,
            "transfer_group": sale.order_id,
            "metadata": metadata,
        }
        if intent.charge_id:
            params["source_transaction"] = intent.charge_id
        return self._client.v1.transfers.create(params, options)

    def _transfer(self, found: stripe.Transfer) -> Transfer:
        """Return a transfer with its reversals. More than ten of them take another call."""
        embedded = found.reversals
        reversals = embedded.data
        if embedded.has_more:
            reversals = self._call(lambda: self._client.v1.transfers.reversals.list(found.id, {"limit": PAGE})).data
        return Transfer(
            id=found.id,
            number=_number(found.metadata),
            amount=MinorUnits(found.amount),
            reversals=tuple(
                Reversal(number=_number(each.metadata), amount=MinorUnits(each.amount)) for each in reversals
            ),
        )

    def _account(self, call: Any) -> AccountView:
        found: stripe.Account = self._call(call)
        if getattr(found, "deleted", False):
            raise AccountMissing("the account was deleted")
        required = found.requirements
        metadata: dict[str, str] = found.metadata.to_dict() if found.metadata else {}
        return AccountView(
            id=found.id,
            can_receive=bool(found.capabilities and getattr(found.capabilities, "transfers", None) == "active"),
            is_submitted=bool(found.details_submitted),
            missing=[*((required and required.currently_due) or []), *((required and required.past_due) or [])],
            is_pending=bool(required and required.pending_verification),
            disabled_reason=required.disabled_reason if required else None,
            stage=metadata.get("stage"),
            user_id=UserID(metadata["userID"]) if "userID" in metadata else None,
        )

    def _raise(self, error: stripe.StripeError, *, acts: bool) -> NoReturn:  # noqa: ARG002  # all refusals are alike
        match error:
            case stripe.PermissionError() | stripe.InvalidRequestError() if _names_missing_account(error):
                raise AccountMissing("Stripe does not know this account, or has revoked access to it") from error
            case stripe.AuthenticationError() | stripe.PermissionError():
                raise PaymentsNotConfigured("payouts are not set up: Stripe rejects the key of this stage") from error
            case stripe.APIConnectionError() | stripe.RateLimitError() | stripe.IdempotencyError():
                raise StripeUnavailable("Stripe did not respond; try again") from error
            case stripe.InvalidRequestError():
                raise Refused(str(error), code=error.code) from error
            case stripe.APIError() if (error.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ServerError("Stripe did not respond; try again") from error
            case stripe.APIError():  # 409: another request under this key is in progress
                raise StripeUnavailable("Stripe did not respond; try again") from error
            case _:
                raise error


def _number(metadata: Any) -> int | None:
    """Return the number of the operation that made an object; None if it was made by hand."""
    number = (metadata.to_dict() if metadata else {}).get("number", "")
    return int(number) if number.isdecimal() else None


def _names_missing_account(error: stripe.StripeError) -> bool:
    """Whether Stripe does not know the account of the call. Without rights to a call the code is another one."""
    detail = error.error  # the SDK leaves `error.code` empty for a PermissionError
    code, param = getattr(detail, "code", None), getattr(detail, "param", None)
    return code == "account_invalid" or (code == "resource_missing" and param in _ACCOUNT_PARAMS)


_ACCOUNT_PARAMS = frozenset({"account", "destination"})
