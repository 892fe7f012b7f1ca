"""One Stripe account behind one method: `handle(method, path, headers, body) -> Reply`."""

import base64
import binascii
import hashlib
import json
import logging
import math
import random
import re
import secrets
import string
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from stripe_emulator import objects, parameters
from stripe_emulator.balances import Balances
from stripe_emulator.connect import Connect
from stripe_emulator.payments import Payments
from stripe_emulator.refusals import Refusals
from stripe_emulator.state import Tables
from stripe_emulator.webhooks import (
    GIVE_UP_SECONDS,
    PendingWebhook,
    WebhookEndpoint,
    retry_delay,
    signature_header,
)
from stripe_emulator.wire import (
    Form,
    Json,
    ParameterError,
    Reply,
    Schema,
    StripeError,
    decode_form,
    missing_object,
)

SECRET_KEY = "sk_test_local_admit_one"  # noqa: S105 - accepted by this emulator only
PUBLISHABLE_KEY = "pk_test_local_admit_one"
WEBHOOK_SECRET = "whsec_local_admit_one"  # noqa: S105 - signs the events of this emulator only
CONNECT_WEBHOOK_SECRET = "whsec_local_admit_one_connect"  # noqa: S105 - as above, those of connected accounts
IDEMPOTENCY_SECONDS = 24 * 3600

_log = logging.getLogger(__name__)

# Expandable properties, and the table of the objects that they refer to.
_EXPANDABLE = {
    "balance_transaction": "balance_transactions",
    "charge": "charges",
    "destination": "accounts",
    "latest_charge": "charges",
    "payment_intent": "payment_intents",
    "payment_method": "payment_methods",
    "source_transaction": "charges",
    "transfer": "transfers",
}
# The tables of the sources of balance transactions, by the prefix of their ids.
_SOURCES = {
    "ch": "charges",
    "du": "disputes",
    "re": "refunds",
    "tr": "transfers",
    "trr": "transfer_reversals",
}
_FILTERS = ("charge", "currency", "destination", "payment_intent", "source", "transfer_group")
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version",
    "Access-Control-Expose-Headers": "Request-Id, Idempotent-Replayed",
    "Access-Control-Max-Age": "300",
}

type KeyKind = Literal["secret", "publishable", "none"]
type Action = Callable[["Call"], Reply]


@dataclass(frozen=True)
class Route:
    """`pattern` has at most one group, the object's id. `/local/` routes are the emulator's own and take no key.

    `for_accounts`: the route can be called with `Stripe-Account`.
    """

    method: str
    pattern: str
    schema: Schema
    action: Action
    publishable: bool = False
    for_accounts: bool = False


@dataclass(frozen=True)
class Call:
    """A parsed request: its route is known and its parameters are valid. `account`: made on behalf of this one."""

    method: str
    path: str
    route: Route
    object_id: str
    params: Json
    key: KeyKind
    request_id: str
    idempotency_key: str | None
    fingerprint: str
    account: str | None


def random_ids(source: random.Random | None = None) -> Callable[[str], str]:
    """Ids in Stripe's form: `pi_` + 24 letters and digits.

    A seeded source gives the same ids each time: not suitable for an account that is kept through a restart.
    """
    choose = (source or secrets.SystemRandom()).choices
    return lambda prefix: prefix + "".join(choose(string.ascii_letters + string.digits, k=24))


class StripeAccount:
    """Deterministic given `clock` (Unix seconds) and `ids` (prefix → new id), and safe to call from many threads.

    `state` is the file that keeps the account through a restart. `webhook` is the endpoint of the account's
    own events, `connect_webhook` that of events of connected accounts; without it they are only listed.
    `on_request(method, path)` is called after an idempotency key has been claimed and before any effect: it may sleep,
    or raise StripeError to simulate an outage.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        ids: Callable[[str], str] | None = None,
        state: Path | None = None,
        webhook: WebhookEndpoint | None = None,
        connect_webhook: WebhookEndpoint | None = None,
        secret_key: str = SECRET_KEY,
        publishable_key: str = PUBLISHABLE_KEY,
        public_url: str = "http://127.0.0.1:12111",
        on_request: Callable[[str, str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._ids = ids or random_ids()
        self._webhook = webhook
        self._connect_webhook = connect_webhook
        self._secret_key = secret_key
        self._publishable_key = publishable_key
        self._on_request = on_request
        self._tables = Tables(state)
        self._lock = threading.RLock()
        self._in_flight: set[str] = set()
        self._request: Json = {"id": None, "idempotency_key": None}
        self._balances = Balances(self._tables, clock=clock)
        self._refusals = Refusals(self._tables, clock=clock)
        url = public_url.rstrip("/")
        parts = (self._balances, self._refusals)
        self._payments = Payments(self._tables, *parts, clock=clock, ids=self._ids, emit=self._emit, public_url=url)
        self._connect = Connect(self._tables, *parts, clock=clock, ids=self._ids, emit=self._emit, public_url=url)
        self._routes = self._all_routes()

    # Public methods

    def handle(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
    ) -> Reply:
        """Answer one HTTP request; `path` includes the query. Never raises, whatever the client sends."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        request_id = self._ids("req_")
        key: KeyKind = "none"
        if method == "OPTIONS":
            return Reply(204, dict(_CORS), {})
        try:
            self.tick()
            form = self._form(method, path, given, body)
            key = self._key_kind(path, given, form)
            reply = self._once(self._read(method, path, given, form, key, request_id))
        except StripeError as error:
            reply = _refusal(error, request_id)
        shown = _for_browser(reply.body) if key == "publishable" else reply.body
        own = {
            "Request-Id": request_id,
            "Stripe-Version": given.get("stripe-version", objects.API_VERSION),
            **_CORS,
        }
        if "idempotency-key" in given:
            own["Idempotency-Key"] = given["idempotency-key"]
        # Round trip through JSON, so that changing an answer does not change the account.
        return Reply(reply.status, own | reply.headers, json.loads(json.dumps(shown)))

    def tick(self) -> None:
        """Apply the passing of time: expire authorisations and idempotency keys."""
        with self._lock:
            self._request = {"id": None, "idempotency_key": None}
            self._payments.expire()
            self._connect.expire()
            for key, record in self._tables.rows("idempotency"):
                if record["created"] > self._clock() - IDEMPOTENCY_SECONDS:
                    break
                self._tables.delete("idempotency", key)
            self._tables.commit()

    def pending_webhooks(self) -> list[PendingWebhook]:
        """Undelivered events, soonest first, each signed for the current time."""
        with self._lock:
            return [self._signed(event_id) for event_id in self._undelivered()]

    def next_webhook(self, *, excluding: Collection[str] = ()) -> PendingWebhook | None:
        """The first undelivered event that is due."""
        with self._lock:
            for event_id in self._undelivered(due_by=self._clock()):
                if event_id not in excluding:
                    return self._signed(event_id)
        return None

    def due_webhooks(self) -> list[str]:
        """The ids of the undelivered events that are due, soonest first."""
        with self._lock:
            return self._undelivered(due_by=self._clock())

    def webhook(self, event_id: str) -> PendingWebhook:
        """One event as it is delivered, signed for the current time."""
        with self._lock:
            return self._signed(event_id)

    def webhook_answered(self, event_id: str, status: int | None) -> None:
        """Record the endpoint's answer: its status, or None if there was none.

        2xx completes the delivery; anything else is retried later, and given up after three days.
        """
        with self._lock:
            delivery = self._tables.get("deliveries", event_id)
            if delivery is None:
                return
            delivered = status is not None and 200 <= status < 300
            given_up = self._clock() - delivery["created"] > GIVE_UP_SECONDS
            if delivered or given_up:
                self._tables.delete("deliveries", event_id)
                if delivered:
                    event = self._tables.get("events", event_id) or {}
                    self._tables.put("events", event_id, event | {"pending_webhooks": 0})
            else:
                delivery["attempts"] += 1
                delivery["due"] = self._clock() + retry_delay(delivery["attempts"])
                self._tables.put("deliveries", event_id, delivery)
            self._tables.commit()

    def deliver_again(self, *, since: float) -> None:
        """Deliver events that were created since then once more, as after the receiver has lost their effects."""
        with self._lock:
            now = self._clock()
            for event in self._tables.newest("events"):
                if event["created"] < since:
                    break
                if self._endpoint(event) is not None and self._tables.get("deliveries", event["id"]) is None:
                    self._tables.put("deliveries", event["id"], {"due": now, "created": now, "attempts": 0})
            self._tables.commit()

    def close(self) -> None:
        with self._lock:
            self._tables.close()

    # Parsing a request

    def _form(self, method: str, path: str, headers: Mapping[str, str], body: bytes | str) -> Form:
        query = path.partition("?")[2]
        if method != "POST":
            return decode_form(query)
        try:
            text = body if isinstance(body, str) else body.decode()
        except UnicodeDecodeError:
            raise StripeError(400, "Invalid request: the body is not UTF-8.") from None
        content_type = headers.get("content-type", "application/x-www-form-urlencoded")
        if text and not content_type.startswith("application/x-www-form-urlencoded"):
            raise StripeError(
                400,
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded).",
            )
        return decode_form(text) | (decode_form(query) if query else {})

    def _key_kind(self, path: str, headers: Mapping[str, str], form: Form) -> KeyKind:
        """Authenticate by Bearer, Basic, or `key=` in the form as Stripe.js sends it (removed from the form)."""
        if path.startswith("/local/"):
            return "none"
        in_form = form.pop("key", None)
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        key = in_form if isinstance(in_form, str) else ""
        if scheme.lower() == "bearer":
            key = credentials.strip()
        elif scheme.lower() == "basic":
            try:
                key = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                key = ""
        if secrets.compare_digest(key.encode(), self._secret_key.encode()):
            return "secret"
        if secrets.compare_digest(key.encode(), self._publishable_key.encode()):
            return "publishable"
        if not key:
            raise StripeError(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, "
                "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )
        raise StripeError(401, f"Invalid API Key provided: {key[:7]}{'*' * 8}{key[-4:]}")

    def _read(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        form: Form,
        key: KeyKind,
        request_id: str,
    ) -> Call:
        path = unquote(path.partition("?")[0])
        for route in self._routes:
            match = re.fullmatch(route.pattern, path)
            if match is not None and route.method == method:
                break
        else:
            raise StripeError(404, f"Unrecognized request URL ({method}: {path}).")
        if key == "publishable" and not route.publishable:
            raise StripeError(
                403,
                "This API call cannot be made with a publishable API key. Please use a secret API key. You can "
                "find a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
                code="secret_key_required",
            )
        idempotency_key = headers.get("idempotency-key") if method == "POST" else None
        if idempotency_key is not None and len(idempotency_key) > 255:
            raise StripeError(400, "Idempotency keys can be at most 255 characters long.")
        params = route.schema.read(form)
        parameters.refuse_retired(params, headers.get("stripe-version", objects.API_VERSION))
        fingerprint = hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
        object_id = match.group(1) if match.groups() else ""
        account = self._acting_account(headers, route)
        call = Call(
            method, path, route, object_id, params, key, request_id, idempotency_key or None, fingerprint, account
        )
        if key == "publishable":
            with self._lock:
                self._check_client_secret(call)
        return call

    def _acting_account(self, headers: Mapping[str, str], route: Route) -> str | None:
        """The connected account in `Stripe-Account`, if there is one."""
        account = headers.get("stripe-account")
        if account is None:
            return None
        if not route.for_accounts:
            raise StripeError(400, "The local Stripe does not make this call on behalf of a connected account.")
        with self._lock:
            return str(self._connect.account(account)["id"])

    def _check_client_secret(self, call: Call) -> None:
        if "client_secret" not in call.params:
            raise ParameterError("Missing required param: client_secret.", "client_secret", "parameter_missing")
        intent = self._payments.intent(call.object_id)
        if not secrets.compare_digest(call.params["client_secret"].encode(), intent["client_secret"].encode()):
            raise StripeError(
                400,
                "The client_secret provided does not match the client_secret associated with this PaymentIntent.",
                code="payment_intent_invalid_parameter",
                param="client_secret",
            )

    # Idempotency (docs: "Idempotent requests")

    def _once(self, call: Call) -> Reply:
        """Execute, or replay the first answer to this key.

        Requests refused before execution (bad parameters, a wrong key) have raised by now and are not recorded.
        """
        if call.idempotency_key is None:
            return self._execute(call, remember_as=None)
        # Separate for each kind of key: a browser that guesses a server's key must not see the server's answer.
        name = f"{call.key}:{call.idempotency_key}"
        with self._lock:
            replayed = self._recall(name, call)
            if replayed is not None:
                return replayed
            self._in_flight.add(name)
        try:
            return self._execute(call, remember_as=name)
        finally:
            with self._lock:
                self._in_flight.discard(name)

    def _recall(self, name: str, call: Call) -> Reply | None:
        if name in self._in_flight:
            raise StripeError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means "
                "you submitted twice, and the other request is still going through): "
                f"{call.idempotency_key}. Try again later.",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        record = self._tables.get("idempotency", name)
        if record is None:
            return None
        otherwise = f"Try using a key other than '{call.idempotency_key}' if you meant to execute a different request."
        if record["path"] != call.path:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{call.path}' vs '{record['path']}'). {otherwise}",
                kind="idempotency_error",
            )
        if record["fingerprint"] != call.fingerprint:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. {otherwise}",
                kind="idempotency_error",
            )
        headers = {"Idempotent-Replayed": "true", "Original-Request": record["request"]}
        return Reply(record["status"], headers, record["body"])

    def _execute(self, call: Call, *, remember_as: str | None) -> Reply:
        """Commit the call's effects, its events and its recorded answer together."""
        refused: Reply | None = None
        try:
            if self._on_request is not None:
                self._on_request(call.method, call.path)
        except StripeError as error:
            refused = _refusal(error, call.request_id)
        with self._lock:
            self._request = {"id": call.request_id, "idempotency_key": call.idempotency_key}
            reply = refused or self._attempt(call)
            if remember_as is not None:
                record = {
                    "path": call.path,
                    "fingerprint": call.fingerprint,
                    "created": self._clock(),
                    "request": call.request_id,
                    "status": reply.status,
                    "body": reply.body,
                }
                self._tables.put("idempotency", remember_as, record)
            self._tables.commit()
            return reply

    def _attempt(self, call: Call) -> Reply:
        try:
            reply = call.route.action(call)
            if reply.status == 200:
                self._expand(reply.body, call.params.get("expand", []))
        except StripeError as error:
            self._tables.rollback()
            return _refusal(error, call.request_id)
        except Exception:
            self._tables.rollback()
            _log.exception("%s %s", call.method, call.path)
            outage = StripeError(500, "An unknown error occurred in the local Stripe.", kind="api_error")
            return _refusal(outage, call.request_id)
        return reply

    # Routes

    def _all_routes(self) -> tuple[Route, ...]:
        return (
            *self._payment_intent_routes(),
            *self._record_routes(),
            *self._connect_routes(),
            *self._balance_routes(),
            *self._control_routes(),
            *self._connect_control_routes(),
        )

    def _payment_intent_routes(self) -> Iterator[Route]:
        payments = self._payments
        intents = "/v1/payment_intents"
        intent = rf"{intents}/(\w+)"

        def confirm(call: Call) -> Reply:
            return payments.confirm(call.object_id, call.params, from_browser=call.key == "publishable")

        yield Route("POST", intents, parameters.CREATE_PAYMENT_INTENT, lambda call: payments.create(call.params))
        yield Route("GET", intents, parameters.LIST, lambda call: self._list("payment_intents", call))
        yield Route(
            "GET",
            intent,
            parameters.RETRIEVE_PAYMENT_INTENT,
            lambda call: self._retrieve("payment_intents", "intent", call),
            publishable=True,
        )
        yield Route("POST", f"{intent}/confirm", parameters.CONFIRM_PAYMENT_INTENT, confirm, publishable=True)
        yield Route(
            "POST",
            f"{intent}/capture",
            parameters.CAPTURE_PAYMENT_INTENT,
            lambda call: payments.capture(call.object_id, call.params),
        )
        yield Route(
            "POST",
            f"{intent}/cancel",
            parameters.CANCEL_PAYMENT_INTENT,
            lambda call: payments.cancel(call.object_id, call.params),
        )

    def _record_routes(self) -> Iterator[Route]:
        """The routes of what a payment leaves: charges, refunds, disputes, events."""
        payments, by_id = self._payments, parameters.RETRIEVE
        yield Route("POST", "/v1/refunds", parameters.CREATE_REFUND, lambda call: payments.refund(call.params))
        yield Route("GET", "/v1/refunds", parameters.LIST_BY_PAYMENT, lambda call: self._list("refunds", call))
        yield Route("GET", r"/v1/refunds/(\w+)", by_id, lambda call: self._retrieve("refunds", "id", call))
        yield Route("GET", r"/v1/charges/(\w+)", by_id, lambda call: self._retrieve("charges", "charge", call))
        yield Route("GET", "/v1/disputes", parameters.LIST_BY_PAYMENT, lambda call: self._list("disputes", call))
        yield Route("GET", r"/v1/disputes/(\w+)", by_id, lambda call: self._retrieve("disputes", "dispute", call))
        yield Route("GET", "/v1/events", parameters.LIST_EVENTS, self._list_events, for_accounts=True)
        yield Route("GET", r"/v1/events/(\w+)", by_id, lambda call: self._retrieve("events", "id", call))

    def _connect_routes(self) -> Iterator[Route]:
        connect, by_id = self._connect, parameters.RETRIEVE
        account, transfer = r"/v1/accounts/(\w+)", r"/v1/transfers/(\w+)"

        def list_reversals(call: Call) -> Reply:
            return self._list("transfer_reversals", call, lambda row: row["transfer"] == call.object_id)

        yield Route("POST", "/v1/accounts", parameters.CREATE_ACCOUNT, lambda call: connect.create_account(call.params))
        yield Route("GET", "/v1/accounts", parameters.LIST, lambda call: self._list("accounts", call))
        yield Route("GET", account, by_id, lambda call: connect.retrieve_account(call.object_id))
        yield Route(
            "POST",
            account,
            parameters.UPDATE_ACCOUNT,
            lambda call: connect.update_account(call.object_id, call.params),
        )
        yield Route("DELETE", account, parameters.NOTHING, lambda call: connect.delete_account(call.object_id))
        yield Route(
            "POST",
            "/v1/account_links",
            parameters.CREATE_ACCOUNT_LINK,
            lambda call: connect.create_link(call.params),
        )
        yield Route("POST", "/v1/transfers", parameters.CREATE_TRANSFER, lambda call: connect.transfer(call.params))
        yield Route("GET", "/v1/transfers", parameters.LIST_TRANSFERS, lambda call: self._list("transfers", call))
        yield Route("GET", transfer, by_id, lambda call: self._retrieve("transfers", "transfer", call))
        yield Route(
            "POST",
            f"{transfer}/reversals",
            parameters.CREATE_REVERSAL,
            lambda call: connect.reverse(call.object_id, call.params),
        )
        yield Route("GET", f"{transfer}/reversals", parameters.LIST, list_reversals)
        yield Route(
            "GET",
            r"/v1/transfers/\w+/reversals/(\w+)",
            by_id,
            lambda call: self._retrieve("transfer_reversals", "id", call),
        )

    def _balance_routes(self) -> Iterator[Route]:
        balances = self._balances

        def transactions(call: Call) -> Reply:
            kind = call.params.get("type")
            found = self._list(
                "balance_transactions",
                call,
                lambda row: kind in (None, row["type"]) and balances.is_of(call.account, row),
            )
            found.body["data"] = [balances.shown(row) for row in found.body["data"]]
            return found

        def transaction(call: Call) -> Reply:
            found = self._tables.get("balance_transactions", call.object_id)
            if found is None or not balances.is_of(call.account, found):
                raise missing_object("balance transaction", call.object_id, "id", in_path=True)
            return Reply(200, {}, balances.shown(found))

        yield Route(
            "GET",
            "/v1/balance",
            parameters.RETRIEVE,
            lambda call: Reply(200, {}, balances.balance(call.account)),
            for_accounts=True,
        )
        listed = parameters.LIST_BALANCE_TRANSACTIONS
        yield Route("GET", "/v1/balance_transactions", listed, transactions, for_accounts=True)
        by_id = parameters.RETRIEVE
        yield Route("GET", r"/v1/balance_transactions/(\w+)", by_id, transaction, for_accounts=True)

    def _control_routes(self) -> Iterator[Route]:
        """The emulator's own routes: actions of a cardholder or a bank."""
        payments = self._payments

        def authenticate(call: Call) -> Reply:
            return payments.authenticate(call.object_id, completed=call.params["outcome"] == "complete")

        def dispute(call: Call) -> Reply:
            return payments.dispute(call.params["payment_intent"], call.params.get("reason", "fraudulent"))

        def close_dispute(call: Call) -> Reply:
            return payments.close_dispute(call.object_id, call.params["status"])

        def end_refund(call: Call) -> Reply:
            return payments.end_refund(call.object_id, call.params["status"])

        yield Route("POST", r"/local/refunds/(\w+)", parameters.END_REFUND, end_refund)
        yield Route("POST", "/local/refusals", parameters.REFUSE, lambda call: self._refusals.add(call.params))
        yield Route("POST", r"/local/3ds/(\w+)", parameters.AUTHENTICATE, authenticate)
        yield Route("POST", "/local/disputes", parameters.CREATE_DISPUTE, dispute)
        yield Route("POST", r"/local/disputes/(\w+)/close", parameters.CLOSE_DISPUTE, close_dispute)

    def _connect_control_routes(self) -> Iterator[Route]:
        """The emulator's own routes: what Stripe decides about accounts, and what their owners do."""
        connect = self._connect
        yield Route(
            "POST",
            r"/local/accounts/(\w+)",
            parameters.SET_ACCOUNT_STATUS,
            lambda call: connect.set_status(call.object_id, call.params["status"]),
        )
        yield Route(
            "POST", r"/local/accounts/(\w+)/payout", parameters.NOTHING, lambda call: connect.pay_out(call.object_id)
        )
        yield Route(
            "POST",
            r"/local/onboarding/(\w+)/open",
            parameters.NOTHING,
            lambda call: connect.open_link(call.object_id),
        )
        yield Route(
            "POST",
            r"/local/onboarding/(\w+)",
            parameters.FINISH_ONBOARDING,
            lambda call: connect.finish_link(call.object_id, call.params["outcome"]),
        )

    def _retrieve(self, table: str, param: str, call: Call) -> Reply:
        row = self._tables.get(table, call.object_id)
        if row is None:
            raise missing_object(table.removesuffix("s"), call.object_id, param, in_path=True)
        return Reply(200, {}, row)

    def _list_events(self, call: Call) -> Reply:
        if "type" in call.params and "types" in call.params:
            raise StripeError(400, "You may pass either `type` or `types`, but not both.", param="type")
        types = call.params.get("types") or [call.params.get("type", "*")]
        # `payment_intent.*` matches all of them.
        patterns = [re.compile(re.escape(kind).replace(r"\*", ".*")) for kind in types]
        delivered = call.params.get("delivery_success")

        def keep(event: Json) -> bool:
            is_delivered = event["pending_webhooks"] == 0
            return (
                event.get("account") == call.account
                and delivered in (None, is_delivered)
                and any(pattern.fullmatch(event["type"]) for pattern in patterns)
            )

        return self._list("events", call, keep)

    def _list(self, table: str, call: Call, keep: Callable[[Json], bool] = lambda _: True) -> Reply:
        """A page, newest first."""
        params = call.params
        if "starting_after" in params and self._tables.get(table, params["starting_after"]) is None:
            raise missing_object(table.removesuffix("s"), params["starting_after"], "starting_after")
        page = _after(
            params.get("starting_after"),
            self._tables.newest(table),
        )
        limit = params.get("limit", 10)
        found: list[Json] = []
        for row in page:
            if _matches(row, params) and keep(row):
                found.append(row)
            if len(found) > limit:
                break
        data = json.loads(json.dumps(found[:limit]))
        body = {"object": "list", "data": data, "has_more": len(found) > limit, "url": call.path}
        return Reply(200, {}, body)

    def _expand(self, body: Json, names: Iterable[str]) -> None:
        """Replace ids by objects: `latest_charge`, `data.latest_charge` in a list, `latest_charge.refunds` in it."""
        for name in names:
            holders: list[Any] = [body]
            for step in name.split("."):
                inner = [self._expanded(holder, step, name) for holder in holders]
                holders = [item for found in inner for item in (found if isinstance(found, list) else [found])]
                holders = [holder for holder in holders if holder is not None]

    def _expanded(self, holder: Any, step: str, name: str) -> Any:
        """Expand one property and return its value: an object, a list of objects, or None."""
        if isinstance(holder, dict) and (holder.get("object"), step) == ("charge", "refunds"):
            holder[step] = self._refunds_of(holder)
        elif isinstance(holder, dict) and holder.get("object") == "list" and step == "data":
            return holder["data"]
        elif isinstance(holder, dict) and (holder.get("object"), step) == ("balance_transaction", "source"):
            table = _SOURCES.get(str(holder[step]).partition("_")[0])
            holder[step] = (table and self._tables.get(table, holder[step])) or holder[step]
        elif not isinstance(holder, dict) or step not in holder or step not in _EXPANDABLE:
            raise StripeError(400, f"This property cannot be expanded ({name}).", param="expand")
        elif isinstance(holder[step], str):
            found = self._tables.get(_EXPANDABLE[step], holder[step])
            is_transaction = found is not None and step == "balance_transaction"
            holder[step] = self._balances.shown(found) if found and is_transaction else found
        return holder[step]

    def _refunds_of(self, charge: Json) -> Json:
        """The charge's ten newest refunds."""
        found = [row for row in self._tables.newest("refunds") if row["charge"] == charge["id"]]
        url = f"/v1/charges/{charge['id']}/refunds"
        return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": url}

    # Events

    def _emit(self, kind: str, subject: Json, *, account: str | None = None) -> None:
        event = objects.event(self._ids("evt_"), int(self._clock()), kind, subject, self._request)
        if account is not None:
            event["account"] = account
        if self._endpoint(event) is not None:
            event["pending_webhooks"] = 1
            now = self._clock()
            self._tables.put("deliveries", event["id"], {"due": now, "created": now, "attempts": 0})
        self._tables.put("events", event["id"], event)

    def _endpoint(self, event: Json) -> WebhookEndpoint | None:
        """The endpoint of the event: those of connected accounts have one of their own."""
        return self._connect_webhook if event.get("account") else self._webhook

    def _undelivered(self, due_by: float = math.inf) -> list[str]:
        waiting = [(row["due"], event_id) for event_id, row in self._tables.rows("deliveries")]
        # Sorted by time only: equal times keep the order in which the events happened.
        return [event_id for due, event_id in sorted(waiting, key=lambda item: item[0]) if due <= due_by]

    def _signed(self, event_id: str) -> PendingWebhook:
        event = self._tables.get("events", event_id) or {}
        endpoint = self._endpoint(event) or WebhookEndpoint("", "")
        delivery = self._tables.get("deliveries", event_id) or {}
        body = json.dumps(event, indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature_header(body, endpoint.secret, int(self._clock())),
        }
        return PendingWebhook(
            event_id, event["type"], endpoint.url, headers, body, delivery["attempts"], delivery["due"]
        )


def _after(last_id: str | None, rows: Iterable[Json]) -> Iterable[Json]:
    """The rows that follow `last_id`."""
    found = last_id is None
    for row in rows:
        if found:
            yield row
        elif row["id"] == last_id:
            found = True


def _matches(row: Json, params: Json) -> bool:
    bounds = params.get("created", {})
    created = row["created"]
    return (
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", created)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
        and all(row[name] == params[name] for name in _FILTERS if name in params)
    )


def _refusal(error: StripeError, request_id: str) -> Reply:
    log_url = f"https://dashboard.stripe.com/test/logs/{request_id}"
    headers = {"WWW-Authenticate": 'Bearer realm="Stripe"'} if error.status == 401 else {}
    return Reply(error.status, headers, {"error": error.error | {"request_log_url": log_url}})


def _for_browser(body: Json) -> Json:
    """The answer to a publishable key: PaymentIntents without fields reserved for secret keys."""
    if body.get("object") == "payment_intent":
        return {name: body[name] for name in objects.BROWSER_FIELDS}
    if "payment_intent" in body.get("error", {}):
        return {"error": body["error"] | {"payment_intent": _for_browser(body["error"]["payment_intent"])}}
    return body
