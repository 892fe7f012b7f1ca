"""Sellers and buyers: they sign up, sell, edit, withdraw, order, cancel, pay, read, click twice, and try what they are
not authorised to do. And an operator, who acts at Stripe by hand.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from functions.payments.circuit_breaker import OPEN_FOR
from shared import clock
from stripe_emulator import StripeAccount
from stripe_emulator.account import SECRET_KEY
from tests.simulation.accounts import Accounts, Moment
from tests.simulation.choices import Choices
from tests.simulation.cloud import Cloud
from tests.simulation.invariants import InvariantViolation, intents, orders_and_tickets
from tests.simulation.payouts import Payouts
from tests.support.lambda_events import http_event

NO_ORDER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PRICES = ("10.00", "20.00")
MAX_TICKETS = 3  # fewer tickets cause more races
FINE = "tok_visa"
DECLINED = "tok_chargeDeclined"
LATE_REFUNDS = ("tok_pendingRefund", "tok_refundFail")
REFUSALS = (
    ("capture", "charge_expired_for_capture", "invalid_request_error"),
    ("capture", "card_declined", "card_error"),
    ("capture", "account_closed", "invalid_request_error"),
    ("cancel", "account_closed", "invalid_request_error"),
    *[("refund", "charge_not_refundable", "invalid_request_error")] * 2,
)
"""Call, code and type of refusals at Stripe."""
PERMANENT = ("charge_expired_for_capture", "card_declined", "charge_not_refundable")
REFUSED_SECONDS = 600
OTHER = {"title": "Another seat", "price": "30.00", "ticketID": NO_ORDER, "orderId": NO_ORDER}
"""Fields of another request under the same key."""
THREE_D_SECURE = "pm_card_threeDSecure2Required"


@dataclass(eq=False)
class SimulatedUser:
    """A user, and the data that their client keeps."""

    name: str
    token: str | None = None
    id: str | None = None
    disturbances: int = 0
    """How many own actions may have ended the session, or end it now."""
    known: int = 0
    """The disturbances that had begun when the sign-in of this session began."""
    is_leaving: bool = False
    """The user has asked for the deletion of their account, and perhaps not seen the answer."""
    deletions: int = 0
    """How often the user has asked for it."""
    accounts: int = 0
    """How many accounts of the user have been deleted."""

    @property
    def is_disturbed(self) -> bool:
        """Whether an own action may have ended the session since, or ends it now."""
        return self.disturbances != self.known

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": f"{self.name}@example.com", "password": f"the password of {self.name}"}


@dataclass(frozen=True)
class CallResult:
    """The answer that a caller sees; None if none arrived."""

    status: int | None
    body: Any
    asks_again: bool = True
    """The same call may be answered differently soon, so no idempotency key records this answer."""

    @property
    def is_failure(self) -> bool:
        return self.status is None or self.status >= 500

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Workload:
    """All users of one run, and what they know."""

    def __init__(self, cloud: Cloud, stripe: StripeAccount, choices: Choices) -> None:
        self._cloud = cloud
        self._stripe = stripe
        self._choices = choices
        self._sellers = [SimulatedUser(f"seller{n}") for n in range(2)]
        self._buyers = [SimulatedUser(f"buyer{n}") for n in range(3)]
        self.accounts = Accounts(self, cloud, choices)
        self.payouts = Payouts(self, cloud, stripe, choices)
        self._joining: SimulatedUser | None = None
        self._rotated = False
        self._tickets: list[tuple[SimulatedUser, str]] = []
        self._orders: list[tuple[SimulatedUser, str]] = []
        self._unanswered: list[tuple[SimulatedUser, str, str, dict[str, Any] | None, dict[str, str]]] = []
        self._keys = 0
        self._edits = 0
        self._versions: dict[str, int] = {}
        self._titles: dict[str, str] = {}
        self._withdrawn: set[str] = set()
        self._answered_keys: list[tuple[SimulatedUser, str, str, dict[str, Any], dict[str, str], CallResult]] = []
        self.focus: frozenset[str] = frozenset()
        """The ids of the objects that all users act on at the moment."""
        self.refunded: set[str] = set()
        """The orders whose refund was answered with success."""
        self.by_hand: set[str] = set()
        """The PaymentIntents that the operator has changed."""
        self.answered: Counter[str] = Counter()
        """Counts the answers to sellers' changes."""

    def act(self) -> None:
        """Let one of the users act."""
        if self._choices.chance(self._cloud.network.profile.payouts):
            return self.payouts.act()
        if self._choices.chance(self._cloud.network.profile.by_hand):
            by_hand = *[self._operate] * 6, *[self._rotate_key] * 2, self._charge_by_hand
            return self._choices.pick(by_hand)()
        if self._joining and self._choices.chance(0.5):
            return self._join(self._joining)
        if self._choices.chance(self._cloud.network.profile.closing) and (signed_in := self._signed_in()):
            return self.accounts.delete(self._choices.pick(signed_in))
        if self._choices.chance(self._cloud.network.profile.accounts) and (signed_in := self._signed_in()):
            return self.accounts.act(self._choices.pick(signed_in))
        if not self._tickets:
            return self._sell()
        if self._choices.chance(self._cloud.network.profile.refunding):
            refunding = *[self._buy] * 6, *[self._refund] * 2, self._ask_for_a_refund, self._relist
            return self._choices.pick(refunding)()
        actions: list[Callable[[], None]] = [self._edit, self._edit, self._withdraw, *[self._order] * 4]
        if self.focus and self._orders:
            return self._choices.pick(
                (self._edit, self._withdraw, self._order, self._cancel, self._cancel, self._pay)
            )()
        actions += [self._sell] * (len(self._tickets) - len(self._withdrawn) < MAX_TICKETS)
        actions += [self._reuse_a_key] * bool(self._answered_keys) * self._choices.chance(0.3)
        actions += [self._try_again] * 2 * bool(self._unanswered)
        actions += [self._sign_in, self._break_in] * self._choices.chance(0.3)
        if self._orders:
            actions += [self._cancel, *[self._pay] * 5, self._authenticate, self._look, self._try_anothers]
        return self._choices.pick(actions)()

    def seller_calls(self, method: str, path: str) -> None:
        """Let one of the sellers call a route without a body."""
        self._call(self._choices.pick(self._sellers), method, path)

    def trade(self) -> None:
        """Sell, order or pay with a card that is accepted."""
        if not self._tickets or self._choices.chance(0.2):
            return self._sell()
        if not self._orders or self._choices.chance(0.4):
            return self._order()
        buyer, order = self._recent(self._orders)
        self._call(buyer, "POST", "/api/payments", {"orderId": order, "token": FINE})
        return None

    def _sell(self) -> None:
        seller = self._choices.pick(self._sellers)
        body = {"title": "A seat", "price": self._choices.pick(PRICES)}
        answer = self._call(seller, "POST", "/api/tickets", body)
        if answer.status == 201:
            self._tickets.append((seller, answer.body["id"]))
            self._titles[answer.body["id"]] = answer.body["title"]

    def _edit(self) -> None:
        seller, ticket = self._recent(self._tickets)
        self._edits += 1
        title = f"A better seat, {self._edits}"
        if self._choices.chance(0.5):
            title = self._titles[ticket]  # only the price changes
        body: dict[str, Any] = {"title": title, "price": self._choices.pick(PRICES)}
        seen = self._versions.get(ticket)
        if seen and self._choices.chance(0.3):
            body["version"] = seen
        answer = self._call(seller, "PUT", f"/api/tickets/{ticket}", body)
        self.answered[f"edits {answer.status} {answer.code}".strip()] += 1
        if answer.status in (200, 202):
            self._versions[ticket] = answer.body["version"]
            self._titles[ticket] = answer.body["title"]

    def _withdraw(self) -> None:
        seller, ticket = self._recent(self._tickets)
        if self._choices.chance(0.3):
            answer = self._call(seller, "DELETE", f"/api/tickets/{ticket}")
            if answer.status in (202, 204):
                self._withdrawn.add(ticket)
            self.answered[f"withdrawals {answer.status} {answer.code}".strip()] += 1

    def _order(self) -> None:
        buyer = self._choices.pick(self._buyers)
        _, ticket = self._recent(self._tickets)
        network = self._cloud.network
        was_held, before = self._is_held(ticket), (network.faults, network.waits)
        answer = self._call(buyer, "POST", "/api/orders", {"ticketID": ticket})
        if answer.status in (200, 201) and (buyer, answer.body["id"]) not in self._orders:
            self._orders.append((buyer, answer.body["id"]))
        if answer.code == "ticket_held" and not was_held and before == (network.faults, network.waits):
            raise InvariantViolation(f"ticket {ticket} was refused as held, and its hold had lapsed")  # guarantee 3

    def _cancel(self) -> None:
        buyer, order = self._recent(self._orders)
        self._call(buyer, "DELETE", f"/api/orders/{order}")

    def _pay(self) -> None:
        buyer, order = self._recent(self._orders)
        token = self._choices.pick((FINE, FINE, FINE, THREE_D_SECURE, None))
        if self._choices.chance(self._cloud.network.profile.late_refund):
            token = self._choices.pick(LATE_REFUNDS)
        if self._choices.chance(self._cloud.network.profile.declined):
            token = DECLINED
        answer = self._call(buyer, "POST", "/api/payments", {"orderId": order} | ({"token": token} if token else {}))
        if answer.status == 201 and self._choices.chance(self._cloud.network.profile.stripe_refuses):
            self._refuse_at_stripe(answer.body["stripeId"])

    def _buy(self) -> None:
        """Order and pay at once."""
        before = len(self._orders)
        self._order()
        if len(self._orders) > before:
            buyer, order = self._orders[-1]
            self._call(buyer, "POST", "/api/payments", {"orderId": order, "token": FINE})

    def _refund(self) -> None:
        """Refund a sale as its seller; or as another user, who has no such sale (guarantee 6)."""
        orders, tickets = orders_and_tickets(self._cloud)
        sold = [order for order in orders.values() if order["status"] in ("completed", "refunding")]
        if not sold:
            return
        order = self._choices.pick([each for each in sold if each["id"] in self.focus] or sold)
        seller_id = tickets[order["ticketID"]]["sellerID"]
        users = [user for user in self._sellers if user.id == seller_id] * 3 + self._sellers
        user = self._choices.pick(users)
        answer = self._call(user, "POST", f"/api/orders/{order['id']}/refund", {})
        if answer.status == 202 and user.id != seller_id:
            raise InvariantViolation(f"{user.name} has refunded order {order['id']} of another seller")
        if answer.status == 202:
            self.refunded.add(order["id"])

    def _ask_for_a_refund(self) -> None:
        buyer, order = self._choices.pick(self._orders) if self._orders else (None, "")
        if buyer:
            self._call(buyer, "POST", f"/api/orders/{order}/refund-request", {"reason": "I am ill"})

    def _relist(self) -> None:
        """Put a ticket on sale again, which only succeeds if its sale was refunded."""
        seller, ticket = self._choices.pick(self._tickets)
        answer = self._call(seller, "POST", f"/api/tickets/{ticket}/relist")
        self.answered[f"relistings {answer.status} {answer.code}".strip()] += 1

    def check_refunds_stand(self) -> None:
        """Guarantee 5: a refund that was answered with success is never taken back. Raises InvariantViolation."""
        orders, _ = orders_and_tickets(self._cloud)
        for ident in self.refunded:
            if orders[ident]["status"] not in ("refunding", "refunded"):
                raise InvariantViolation(f"order {ident} was refunded by its seller, and is {orders[ident]['status']}")

    def _authenticate(self) -> None:
        """Answer a 3-D Secure challenge, in time or long after."""
        waiting = [i for i, row in self._stripe._tables.rows("payment_intents") if row["status"] == "requires_action"]
        if waiting:
            intent = self._choices.pick(waiting)
            outcome = self._choices.pick(("complete", "complete", "fail"))
            self._tell(f"3-D Secure of {intent}: {outcome}")
            self._stripe.handle("POST", f"/local/3ds/{intent}", {}, f"outcome={outcome}")

    def _operate(self) -> None:
        """Act at Stripe by hand, as an operator or as a cardholder who disputes a charge."""
        possible = []
        orders, _ = orders_and_tickets(self._cloud)
        for intent in intents(self._stripe):
            ident, charge = intent["id"], intent["latest_charge"]
            match intent["status"]:
                case "succeeded" if not charge["disputed"] and not charge["refunded"]:
                    possible += [(ident, "/v1/refunds", f"payment_intent={ident}")] * 2
                    half = (charge["amount_captured"] - charge["amount_refunded"]) // 2
                    possible += [(ident, "/v1/refunds", f"payment_intent={ident}&amount={half}")] * (half > 0)
                    possible += [(ident, "/local/disputes", f"payment_intent={ident}")]
                case "requires_capture":
                    order = orders.get(intent["metadata"]["orderID"], {})
                    acts = ["cancel", *["capture"] * (6 if order.get("status") == "cancelled" else 2)]
                    possible += [(ident, f"/v1/payment_intents/{ident}/{act}", "") for act in acts]
                case "requires_payment_method" | "requires_action":
                    possible += [(ident, f"/v1/payment_intents/{ident}/cancel", "")]
        for ident, dispute in self._stripe._tables.rows("disputes"):
            if dispute["status"] == "needs_response":
                outcome = self._choices.pick(("lost", "won"))
                possible += [(dispute["payment_intent"], f"/local/disputes/{ident}/close", f"status={outcome}")] * 3
        for ident, refund in self._stripe._tables.rows("refunds"):
            if refund["status"] == "pending":
                outcome = self._choices.pick(("failed", "succeeded"))
                possible += [(refund["payment_intent"], f"/local/refunds/{ident}", f"status={outcome}")] * 3
        if possible:
            ident, path, form = self._choices.pick(possible)
            self.do_by_hand(path, form)
            self.by_hand.add(ident)

    def _refuse_at_stripe(self, intent: str) -> None:
        """Let Stripe refuse one kind of call about this PaymentIntent."""
        call, code, kind = self._choices.pick(REFUSALS)
        ends = "" if code in PERMANENT else f"&seconds={REFUSED_SECONDS}"
        self.do_by_hand("/local/refusals", f"payment_intent={intent}&call={call}&code={code}&type={kind}{ends}")

    def _charge_by_hand(self) -> None:
        """Take money at Stripe by hand, with a PaymentIntent that has our metadata but is not ours."""
        order = self._choices.pick([*(order for _, order in self._orders), NO_ORDER])
        form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
        method = self._choices.pick(("automatic", "manual"))
        metadata = f"metadata[stage]=dev&metadata[orderID]={order}"
        self.by_hand.add(self.do_by_hand("/v1/payment_intents", f"{form}&capture_method={method}&{metadata}")["id"])

    def do_by_hand(self, path: str, form: str) -> dict[str, Any]:
        """Call Stripe as an operator does, or a route of the local Stripe for what others do."""
        self._tell(f"by hand at Stripe: {path} {form}")
        reply = self._stripe.handle("POST", path, {"Authorization": f"Bearer {SECRET_KEY}"}, form)
        message = reply.body.get("error", {}).get("message", "")
        is_refused = "Refused: " in message  # by `_refuse_at_stripe`
        has_ended = "This refund is already" in message  # just now
        assert reply.status == 200 or is_refused or has_ended, reply.body
        return dict(reply.body)

    def _rotate_key(self) -> None:
        """Rotate the signing key; once in a token's life this has no visible effect."""
        if not self._rotated:
            self._rotated = True
            self._tell("the signing key is rotated")
            self._cloud.put_secret("AuthSigningKey", "the key that signs tokens, second version")

    def _join(self, person: SimulatedUser) -> None:
        """Sign up; a person who has an account already, perhaps without having seen the answer, signs in."""
        self._joining = person
        begun = self.accounts.moment(person)
        answer = self.ask(person, "POST", "/api/users/signup", person.credentials)
        if answer.code == "email_in_use":
            self._sign_in_as(person)
        elif answer.status == 201:
            self.is_signed_in(person, answer, begun)
        self._joining = None

    def _sign_in(self) -> None:
        if signed_in := self._signed_in():
            self._sign_in_as(self._choices.pick(signed_in))

    def _signed_in(self) -> list[SimulatedUser]:
        return [person for person in (*self._sellers, *self._buyers) if person.token]

    def _sign_in_as(self, person: SimulatedUser) -> None:
        begun = self.accounts.moment(person)
        answer = self.ask(person, "POST", "/api/users/signin", person.credentials)
        if answer.status == 200:
            self.is_signed_in(person, answer, begun)
        elif answer.status == 401 and person.is_leaving:
            self._has_left(person)
        elif answer.status == 401 and not person.is_disturbed:
            raise InvariantViolation(f"{person.name} cannot sign in with their own password")

    def _break_in(self) -> None:
        """Guarantee 6: sign in with a wrong password."""
        person = self._choices.pick((*self._sellers, *self._buyers))
        guess = person.credentials | {"password": "not the password"}
        answer = self.ask(person, "POST", "/api/users/signin", guess)
        if answer.status is not None and answer.status < 400:
            raise InvariantViolation(f"user {person.name} signed in with a wrong password")

    def is_signed_in(self, person: SimulatedUser, answer: CallResult, begun: Moment) -> None:
        """Keep the token of an answer. `begun` is when the call began: its account may be deleted since."""
        ident = answer.body["id"]
        if ident in begun.deleted:
            raise InvariantViolation(f"{person.name} has signed in as {ident}, whose account is deleted")
        if person.accounts != begun.accounts:
            return
        if person.id and person.id != ident and not person.is_leaving:
            raise InvariantViolation(f"{person.name} was {person.id} and is {ident} now")
        person.id, person.token, person.known = ident, answer.body["token"], begun.disturbances
        person.is_leaving = person.deletions != begun.deletions

    def _has_left(self, person: SimulatedUser) -> None:
        """The user's account is deleted; the next action begins with a new one, which knows nothing of the old one."""
        person.id, person.token, person.accounts = None, None, person.accounts + 1
        self._unanswered = [call for call in self._unanswered if call[0] is not person]
        self._answered_keys = [call for call in self._answered_keys if call[0] is not person]
        self._withdrawn |= {ticket for seller, ticket in self._tickets if seller is person}

    def _try_again(self) -> None:
        """Retry a call that was never answered, later and with the same key."""
        call = self._unanswered.pop(self._choices.below(len(self._unanswered)))
        account = call[0].accounts
        answer = self._once(*call)
        if self._is_open(answer) and call[0].accounts == account:
            self._unanswered.append(call)

    def _reuse_a_key(self) -> None:
        """Send another request under a key whose request was answered: that answer must not be returned for it."""
        by, method, path, body, headers, first = self._choices.pick(self._answered_keys)
        answer = self._once(by, method, path, body | {name: OTHER[name] for name in body.keys() & OTHER}, headers)
        if not answer.is_failure and answer.code != "idempotency_key_reused":
            raise InvariantViolation(f"{method} {path} with the key of another request, answered {first}: {answer}")

    def _look(self) -> None:
        buyer, order = self._choices.pick(self._orders)
        self._call(buyer, "GET", f"/api/payments/{order}")

    def _try_anothers(self) -> None:
        """Guarantee 6: act on an order of another user."""
        owner, order = self._choices.pick(self._orders)
        stranger = self._choices.pick([person for person in self._buyers if person != owner])
        method, path = self._choices.pick(
            (("GET", f"/api/orders/{order}"), ("DELETE", f"/api/orders/{order}"), ("GET", f"/api/payments/{order}"))
        )
        answer = self._call(stranger, method, path)
        if answer.status is not None and answer.status < 400:
            raise InvariantViolation(f"{stranger.name} has access to order {order} of {owner.name}")

    def _recent(self, things: list[tuple[SimulatedUser, str]]) -> tuple[SimulatedUser, str]:
        """One of the objects in focus, or else one of the latest two: races need users to act on the same object."""
        return self._choices.pick([thing for thing in things if thing[1] in self.focus] or things[-2:])

    def _call(self, by: SimulatedUser, method: str, path: str, body: dict[str, Any] | None = None) -> CallResult:
        """Call; perhaps with an Idempotency-Key, perhaps twice, and again if it failed."""
        headers = {}
        if method != "GET" and self._choices.chance(0.5):
            self._keys += 1
            headers["Idempotency-Key"] = f"key-{self._keys}"
            if (method, path) == ("POST", "/api/tickets"):
                body = {**(body or {}), "title": f"Once, {self._keys}"}
        account = by.accounts
        answer = self._once(by, method, path, body, headers)
        if by.accounts != account:
            return answer  # the user has another account now
        if self._choices.chance(self._cloud.network.profile.duplicate) or (
            answer.is_failure and self._choices.chance(0.7)
        ):
            again = self._once(by, method, path, body, headers)
            if headers and not answer.asks_again and not again.is_failure and answer != again:
                raise InvariantViolation(f"{method} {path} with the same key: {answer}, then {again}")
            answer = again if answer.is_failure else answer
            if by.accounts != account:
                return answer
        if headers and self._is_open(answer):
            self._unanswered.append((by, method, path, body, headers))
        elif headers and body and answer.status is not None and answer.status < 300:
            self._answered_keys.append((by, method, path, body, headers, answer))
        return answer

    @staticmethod
    def _is_open(answer: CallResult) -> bool:
        """Whether the caller does not know the outcome of the call yet."""
        is_not_replicated_yet = answer.status == 404 and answer.asks_again
        return (
            answer.is_failure
            or answer.status == 202
            or answer.code == "idempotency_in_progress"
            or is_not_replicated_yet
        )

    def _once(
        self, by: SimulatedUser, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> CallResult:
        if by.token is None:
            self._join(by)
        if self._cloud.email_verification == "required" and by.id not in self._verified():
            self.accounts.verify(by)
        token = by.token
        if token is None:
            return CallResult(None, None)
        answer = self.ask(by, method, path, body, headers | {"Authorization": f"Bearer {token}"})
        if answer.status == 401:
            if not by.is_disturbed and by.token == token:
                raise InvariantViolation(f"{by.name} has signed in and is not recognised")
            self._sign_in_as(by)
            return CallResult(None, None)
        if answer.code == "email_not_verified":
            return CallResult(None, None)
        return answer

    def _verified(self) -> set[str]:
        items = self._cloud.database.items(self._cloud.table("auth"))
        return {item["id"] for item in items if item["pk"].startswith("user#") and item["emailVerified"]}

    def ask(
        self,
        by: SimulatedUser,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None = None,
    ) -> CallResult:
        """Send one request and return its answer."""
        faults = self._cloud.network.faults
        key = (headers or {}).get("Idempotency-Key", "")
        self._tell(f"{by.name} {method} {path} {json.dumps(body) if body else ''} {key}")
        raw = self._cloud.http(http_event(method, path, body, headers=headers))
        text = (raw or {}).get("body")
        answer = CallResult(None, None)
        if raw:
            asks_again = raw["statusCode"] >= 500 or "Retry-After" in raw["headers"]
            answer = CallResult(raw["statusCode"], json.loads(text) if text else None, asks_again)
        self._tell(f"    → {answer.status} {answer.code}")
        if answer.is_failure and self._cloud.network.faults == faults and not self._is_circuit_open(answer):
            raise InvariantViolation(f"{method} {path} failed ({answer}) without a fault")
        return answer

    def _is_circuit_open(self, answer: CallResult) -> bool:
        """Whether Payments may refuse a call without a fault: Stripe has failed for a buyer just now."""
        failed, skew = self._cloud.network.failed_for_buyer, self._cloud.network.profile.skew
        if failed is None or answer.code != "stripe_unavailable":
            return False
        return self._cloud.clock.instant < failed + OPEN_FOR + 2 * timedelta(seconds=skew)

    def _is_held(self, ticket: str) -> bool:
        found = orders_and_tickets(self._cloud)[1].get(ticket, {})
        slowest = clock.now() - timedelta(seconds=self._cloud.network.profile.skew)
        return "holdOrderID" in found and found.get("holdExpiresAt", float("inf")) > clock.to_millis(slowest)

    def _tell(self, what: str) -> None:
        indent = "    " * self._cloud.network.depth
        self._cloud.network.transcript.append(f"{clock.now():%H:%M:%S.%f}"[:-3] + f" {indent}{what}")
