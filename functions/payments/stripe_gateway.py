"""The calls to Stripe, through its SDK.

A call that failed without an answer is repeated once, under the same idempotency key, so that it acts once (Stripe,
"Idempotent requests"). If that fails too, the outcome is unknown, and the caller reads the PaymentIntent again before
it continues. Each call has an idempotency key of its own: under a shared one Stripe would replay a refusal for a day.

While a buyer waits, calls have a shorter timeout and go through a circuit breaker. Background work has neither: its
queues, and Stripe's webhooks, repeat what fails, and no person waits for it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn, Self

import stripe
import urllib3

from functions.payments.circuit_breaker import CircuitBreaker
from functions.payments.payment import (
    AmountRefused,
    BadToken,
    CardDeclined,
    Intent,
    IntentStatus,
    PayableOrder,
    PaymentsNotConfigured,
    RefundStatus,
    StripeUnavailable,
)
from shared import aws, clock, settings
from shared.ids import OrderID, new_id
from shared.money import MinorUnits
from shared.secret_cache import SecretCache

if TYPE_CHECKING:
    from stripe import RequestOptions
    from stripe.params import (
        EventListParams,
        EventListParamsCreated,
        PaymentIntentConfirmParams,
        PaymentIntentRetrieveParams,
    )

TIMEOUT_SECONDS = 8.0
BUYER_TIMEOUT_SECONDS = 5.0
"""The timeout of a call for which a buyer waits. No shorter than RETRY_WITHIN, so that such a call is not repeated
after a timeout."""
KEYS_TTL = timedelta(minutes=1)
RETRY_WITHIN = timedelta(seconds=5)
"""A call is repeated only within this time of the gateway's creation, so that a request of a few calls, of which one is
repeated, ends before the function's timeout."""
RETRY_AFTER_SECONDS = 0.2
LOG_PAGE = 100  # events, the maximum of Stripe
CURRENT_API = "https://api.stripe.com"

_STATUSES = {
    "requires_capture": IntentStatus.AUTHORIZED,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELED,
}
_EXPIRED = frozenset({"charge_expired_for_capture", "capture_charge_authorization_expired"})


class WrongState(Exception):
    """Stripe refused the call, most often because of the PaymentIntent's state; read it again.

    `is_final`: the authorisation has expired or the bank refuses the capture, so that the same call can never succeed.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class IntentMissing(Exception):
    """Stripe has no such PaymentIntent in this account."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables for Stripe. `stripe_api_base` is set only where an emulator replaces Stripe."""

    stage: str
    stripe_secret_arn: str
    stripe_api_base: str = CURRENT_API


@dataclass(frozen=True, slots=True)
class Keys:
    """The Stripe keys of this stage."""

    secret: str
    publishable: str
    webhook: str


def _read_keys() -> Keys:
    secret = aws.secretsmanager().get_secret_value(SecretId=settings.load(Settings).stripe_secret_arn)
    stored = json.loads(secret["SecretString"])
    return Keys(stored["secretKey"], stored["publishableKey"], stored["webhookSecret"])


class _CachedKeys(SecretCache[Keys]):
    def __init__(self) -> None:
        super().__init__(_read_keys, ttl=KEYS_TTL)


_cached = _CachedKeys()


def keys() -> Keys:
    """Return the keys, read from Secrets Manager at most once a minute, so that new keys need no deployment.

    While Secrets Manager does not respond, the cached keys stay in use. Raises PaymentsNotConfigured if the secret key
    is empty.
    """
    found = _cached.get()
    if not found.secret:
        raise PaymentsNotConfigured("payments are not set up: the Stripe secret of this stage holds no keys")
    return found


def publishable_key() -> str:
    """Return the publishable key, which a browser uses to call Stripe. Raises PaymentsNotConfigured."""
    return keys().publishable


class Urllib3Client(stripe.HTTPClient):
    """HTTP client for Stripe's SDK with a timeout and connection reuse, over urllib3 (which botocore already installs).

    Without `requests` the SDK falls back to its urllib client, which has neither.
    """

    name = "urllib3"

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._pool = urllib3.PoolManager(
            ca_certs=stripe.ca_bundle_path, timeout=urllib3.Timeout(total=timeout_seconds), retries=False
        )

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request; returns body, status and headers. Raises stripe.APIConnectionError."""
        try:
            response = self._pool.request(method.upper(), url, headers=headers, body=post_data)
        except urllib3.exceptions.HTTPError as error:
            message = f"Stripe cannot be reached: {error}"
            raise stripe.APIConnectionError(message) from error  # type: ignore[no-untyped-call]
        return response.data.decode(), response.status, {k.lower(): v for k, v in response.headers.items()}

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()


@cache
def http_client(timeout_seconds: float) -> stripe.HTTPClient:
    """Return the process's HTTP client with this timeout; the simulation replaces this function."""
    return Urllib3Client(timeout_seconds)


_breaker = CircuitBreaker()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event about a PaymentIntent. `order_id` is known if it is an event of the PaymentIntent itself."""

    stripe_id: str
    order_id: OrderID | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries of Stripe's event log, newest first, back to the instant `reached`."""

    entries: list[LogEntry]
    reached: datetime
    has_more: bool


class StripeCalls:
    """Base of the gateways: a client of Stripe with one secret key.

    `_call` makes each call, and `_raise` translates its errors. Outcomes are reported to the circuit breaker.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        stage: str,
        api_base: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.stage = stage
        self._breaker = breaker
        self._retry_until = clock.now() + RETRY_WITHIN
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base},
            http_client=http_client(timeout_seconds),
            max_network_retries=0,
        )

    def _call(self, call: Any, *, acts: bool = False) -> Any:
        """Make the call, at most twice. `acts`: it moves money, and the caller reads the state after a refusal."""
        try:
            answer = self._attempt(call)
        except stripe.StripeError as error:
            self._record(is_outage=_is_outage(error))
            self._raise(error, acts=acts)
        self._record(is_outage=False)
        return answer

    def _attempt(self, call: Any) -> Any:
        try:
            return call()
        except stripe.StripeError as error:
            if not (_may_be_repeated(error) and clock.now() < self._retry_until):
                raise
        clock.sleep(RETRY_AFTER_SECONDS)
        return call()

    def _record(self, *, is_outage: bool) -> None:
        if self._breaker:
            self._breaker.record(clock.now(), is_outage=is_outage)

    def _raise(self, error: stripe.StripeError, *, acts: bool) -> NoReturn:
        """Raise the error that this one means to the caller. Each gateway defines its own."""
        raise NotImplementedError


def closed_circuit() -> CircuitBreaker:
    """Return the circuit breaker of this process. Raises StripeUnavailable while the circuit is open."""
    if _breaker.is_open(clock.now()):
        raise StripeUnavailable("Stripe does not respond at the moment; try again")
    return _breaker


class IntentReader(StripeCalls):
    """Reads PaymentIntents with their charge, refunds and disputes."""

    def retrieve(self, stripe_id: str) -> Intent:
        """Read the PaymentIntent with its charge and refunds."""
        expand: PaymentIntentRetrieveParams = {"expand": ["latest_charge.refunds"]}
        return self._intent(lambda: self._client.v1.payment_intents.retrieve(stripe_id, expand))

    def _intent(self, call: Any, *, acts: bool = False) -> Intent:
        found: stripe.PaymentIntent = self._call(call, acts=acts)
        charge = found.latest_charge if isinstance(found.latest_charge, stripe.Charge) else None
        disputes = self._disputes(found.id) if charge and charge.disputed else []
        refunds = self._refunds(charge) if charge else []
        metadata: dict[str, str] = found.metadata.to_dict()
        order_id = metadata.get("orderID")
        return Intent(
            id=found.id,
            status=_STATUSES.get(found.status, IntentStatus.UNCONFIRMED),
            client_secret=found.client_secret or "",
            created_at=clock.from_millis(found.created * 1000),
            stage=metadata.get("stage"),
            order_id=OrderID(order_id) if order_id else None,
            charge_id=charge.id if charge else None,
            captured=MinorUnits(found.amount_received),
            refunded=MinorUnits(sum(refund.amount for refund in refunds if refund.status == "succeeded")),
            refund_status=_refund_status(refunds),
            lost=MinorUnits(sum(dispute.amount for dispute in disputes if dispute.status == "lost")),
            with_the_bank=any(
                dispute.status not in ("lost", "won") and not dispute.is_charge_refundable for dispute in disputes
            ),
            cancellation_reason=found.cancellation_reason,
        )

    def _refunds(self, charge: stripe.Charge) -> list[stripe.Refund]:
        """Return the charge's refunds, newest first. More than ten of them take another call."""
        expanded = charge.refunds
        if expanded is not None and not expanded.has_more:  # an empty list is falsy
            return expanded.data
        found: stripe.ListObject[stripe.Refund] = self._call(
            lambda: self._client.v1.refunds.list({"charge": charge.id, "limit": 100})
        )
        return found.data

    def _disputes(self, stripe_id: str) -> list[stripe.Dispute]:
        found: stripe.ListObject[stripe.Dispute] = self._call(
            lambda: self._client.v1.disputes.list({"payment_intent": stripe_id})
        )
        return found.data


class StripeGateway(IntentReader):
    """The Stripe calls of a payment.

    Every method may raise StripeUnavailable and PaymentsNotConfigured and, depending on the call, WrongState,
    IntentMissing, CardDeclined, BadToken or AmountRefused.
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
    def for_buyer(cls) -> Self:
        """Return a gateway for one request for which a buyer waits.

        Raises StripeUnavailable while the circuit is open, and PaymentsNotConfigured.
        """
        return cls(breaker=closed_circuit(), timeout_seconds=BUYER_TIMEOUT_SECONDS)

    def create(self, order: PayableOrder) -> Intent:
        """Create an unconfirmed PaymentIntent for the order: cards only, manual capture."""
        options = _new_key()
        return self._intent(
            lambda: self._client.v1.payment_intents.create(
                {
                    "amount": order.amount,
                    "currency": order.currency,
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "transfer_group": order.id,
                    "metadata": {"stage": self.stage, "orderID": order.id, "userID": order.user_id},
                },
                options,
            )
        )

    def confirm(self, stripe_id: str, token: str) -> Intent:
        """Authorise the PaymentIntent with a Stripe token (`tok_…`) or payment method (`pm_…`)."""
        params: PaymentIntentConfirmParams = {"use_stripe_sdk": True}
        if token.startswith("tok_"):
            params["payment_method_data"] = {"type": "card", "card": {"token": token}}  # type: ignore[typeddict-unknown-key]
        else:
            params["payment_method"] = token
        options = _new_key()
        return self._intent(lambda: self._client.v1.payment_intents.confirm(stripe_id, params, options))

    def capture(self, stripe_id: str) -> Intent:
        """Capture the authorised amount. Raises WrongState for every refusal."""
        options = _new_key()
        return self._intent(lambda: self._client.v1.payment_intents.capture(stripe_id, {}, options), acts=True)

    def cancel(self, stripe_id: str) -> Intent:
        """Cancel the PaymentIntent, which releases authorised money; it can never be confirmed again.

        Raises WrongState for every refusal.
        """
        options = _new_key()
        return self._intent(lambda: self._client.v1.payment_intents.cancel(stripe_id, {}, options), acts=True)

    def refund(self, stripe_id: str) -> Intent:
        """Refund the remaining captured amount, and return the PaymentIntent. Raises WrongState for every refusal."""
        options = _new_key()
        self._call(lambda: self._client.v1.refunds.create({"payment_intent": stripe_id}, options), acts=True)
        return self.retrieve(stripe_id)

    def log(
        self, types: list[str], *, since: datetime, until: datetime | None = None, undelivered: bool = False
    ) -> Iterator[LogPage]:
        """Yield the pages of Stripe's event log from `until` (inclusive; by default the newest) back to `since`.

        `undelivered`: only events that no webhook has acknowledged yet. Source: Stripe, "List all events".
        """
        created: EventListParamsCreated = {"gte": int(since.timestamp())}
        if until:
            created["lte"] = int(until.timestamp())
        params: EventListParams = {"types": types, "created": created, "limit": LOG_PAGE}
        if undelivered:
            params["delivery_success"] = False
        page = self._call(lambda: self._client.v1.events.list(params))
        while page.data:
            entries = [entry for event in page.data if (entry := self._to_entry(event))]
            yield LogPage(entries, clock.from_millis(page.data[-1].created * 1000), has_more=page.has_more)
            if not page.has_more:
                return
            page = self._call(page.next_page)

    def _to_entry(self, event: Any) -> LogEntry | None:
        """Return the entry of an event; None if it has no PaymentIntent, or one that is not this stage's."""
        subject = event.data.object
        if subject.object != "payment_intent":
            stripe_id = getattr(subject, "payment_intent", None)
            return LogEntry(stripe_id) if isinstance(stripe_id, str) else None
        metadata: dict[str, str] = subject.metadata.to_dict()
        if metadata.get("stage") != self.stage or "orderID" not in metadata:
            return None
        return LogEntry(subject.id, OrderID(metadata["orderID"]))

    def _raise(self, error: stripe.StripeError, *, acts: bool) -> NoReturn:
        _raise(error, acts=acts)


def _refund_status(refunds: list[stripe.Refund]) -> RefundStatus | None:
    """Return the status of the refunds, newest first; None if all money has gone, or there are none.

    A failed refund counts until another was made after it. Source: Stripe, "Refunds", failed refunds.
    """
    if any(refund.status in ("pending", "requires_action") for refund in refunds):
        return RefundStatus.PENDING
    if refunds and refunds[0].status in ("failed", "canceled"):
        return RefundStatus.FAILED
    return None


def _new_key() -> "RequestOptions":
    return {"idempotency_key": new_id()}


def _may_be_repeated(error: stripe.StripeError) -> bool:
    """Whether the outcome is unknown and Stripe does not forbid another attempt.

    Source: Stripe, "Advanced error handling": connection errors, 409 and 5xx; `Stripe-Should-Retry` decides if sent.
    """
    if isinstance(error, stripe.APIConnectionError):
        return True
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    is_open = error.http_status == HTTPStatus.CONFLICT or (error.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return is_open and headers.get("stripe-should-retry") != "false"


def _is_outage(error: stripe.StripeError) -> bool:
    """Whether Stripe itself failed: no answer, or 5xx. A rate limit (429) or a conflict is answered at once."""
    is_server_error = (error.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, stripe.APIConnectionError) or is_server_error


def _raise(error: stripe.StripeError, *, acts: bool) -> NoReturn:
    match error:
        case stripe.InvalidRequestError() if error.code == "resource_missing" and error.param in _INTENT_PARAMS:
            raise IntentMissing(str(error)) from error
        case stripe.CardError() | stripe.InvalidRequestError() if acts:
            is_final = isinstance(error, stripe.CardError) or error.code in _EXPIRED
            raise WrongState(str(error), is_final=is_final) from error
        case stripe.CardError():
            detail = error.error
            raise CardDeclined(
                error.user_message or "the card was declined",
                code=error.code or "card_declined",
                decline_code=getattr(detail, "decline_code", None),
                charge_id=getattr(detail, "charge", None),
            ) from error
        case stripe.InvalidRequestError() if error.code == "payment_intent_unexpected_state":
            raise WrongState(str(error)) from error
        case stripe.InvalidRequestError() if error.code in _AMOUNTS:
            raise AmountRefused(f"Stripe does not accept this amount: {error.user_message}") from error
        case stripe.InvalidRequestError() if error.code == "resource_missing" or error.param in _TOKEN_PARAMS:
            raise BadToken("Stripe does not know this token or payment method") from error
        case stripe.AuthenticationError() | stripe.PermissionError():
            raise PaymentsNotConfigured("payments are not set up: Stripe rejects the keys of this stage") from error
        case (
            stripe.APIConnectionError() | stripe.APIError() | stripe.RateLimitError() | stripe.IdempotencyError()
        ):  # the last one: another attempt under the same key is in progress
            raise StripeUnavailable("Stripe did not respond; try again") from error
        case _:
            raise error


_INTENT_PARAMS = frozenset({"intent", "payment_intent"})
_AMOUNTS = frozenset({"amount_too_small", "amount_too_large"})
_TOKEN_PARAMS = frozenset({"payment_method", "payment_method_data[card][token]"})
