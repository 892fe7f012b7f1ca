"""The operations whose cost is measured, each in the real handlers.

Each function in `OPERATIONS` runs one operation and returns its run. `purchase` is a whole sale; the scenarios at the
end contain the events that listeners handle.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from functions.orders.order import HoldableTicket
from functions.orders.store import OrderStore
from functions.payments import payout_gateway, stripe_gateway
from functions.tickets.ticket import MAX_TITLE_LENGTH
from metering.ledger import Run
from shared.ids import TicketID
from shared.table import Table
from tests.support.lambda_events import Person, sqs_batch
from tests.support.metered_stack import PASSWORD, TITLE, VISA, MeteredStack
from tests.support.ses import replaced


def purchase(stack: MeteredStack) -> list[Run]:
    """Run one purchase as the web client does; return all its runs, in order.

    Both users are signed in. The buyer browses, opens the ticket, orders it and starts the payment. After confirming it
    at Stripe, the buyer's browser reads the order, and again when Stripe's webhooks have arrived and the ticket is
    sold. The order's timer is deleted before its deadline.
    """
    tokens = [_sign_up(stack, f"{name}@example.com") for name in ("seller", "buyer")]
    stack.ledger.runs.clear()
    _authorise(stack, tokens[0])  # once for the seller; API Gateway caches the authorizer's answer for half a minute
    ticket_id = stack.offer(key=True)
    stack.settle()
    _authorise(stack, tokens[1])
    stack.call("GET", "/api/users/currentuser", by=stack.buyer)
    stack.call("GET", "/api/tickets", by=stack.buyer)
    stack.call("GET", f"/api/tickets/{ticket_id}", by=stack.buyer)
    order_id = stack.place(ticket_id, key=True).json["id"]
    stack.settle()
    stack.authorise(stack.pay(order_id).json)
    _authorise(stack, tokens[1])  # again: entering the card took longer than half a minute
    assert stack.call("GET", f"/api/orders/{order_id}", by=stack.buyer).json["status"] == "created"
    stack.webhooks()
    stack.settle()
    stack.webhooks()
    stack.settle()
    assert stack.call("GET", f"/api/orders/{order_id}", by=stack.buyer).json["status"] == "completed"
    return stack.ledger.runs


type Operation = Callable[[MeteredStack], Run]

OPERATIONS: dict[str, Operation] = {}


def operation(run: Operation) -> Operation:
    """Register an operation under its function's name: `place_an_order` is "place an order"."""
    OPERATIONS[run.__name__.replace("_", " ")] = run
    return run


@operation
def sign_up(stack: MeteredStack) -> Run:
    _sign_up(stack, "first@example.com")  # reads the signing key, which is cached for five minutes
    _sign_up(stack, "second@example.com")
    return stack.last


@operation
def sign_in(stack: MeteredStack) -> Run:
    _sign_up(stack, "first@example.com")
    credentials = {"email": "first@example.com", "password": PASSWORD}
    assert stack.world.call("POST", "/api/users/signin", credentials).status == 200
    return stack.last


@operation
def sign_in_from_a_known_device(stack: MeteredStack) -> Run:
    credentials = {"email": "first@example.com", "password": PASSWORD}
    cookies = stack.world.call("POST", "/api/users/signup", credentials).cookies
    headers = {"Cookie": "; ".join(str(cookie).partition(";")[0] for cookie in cookies)}
    assert stack.world.call("POST", "/api/users/signin", credentials, headers=headers).status == 200
    return stack.last


@operation
def read_the_current_user(stack: MeteredStack) -> Run:
    token = _sign_up(stack, "first@example.com")
    answer = stack.world.call("GET", "/api/users/currentuser", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["currentUser"]["email"] == "first@example.com"
    return stack.last


@operation
def authorise_a_request(stack: MeteredStack) -> Run:
    return _authorise(stack, _sign_up(stack, "first@example.com"))


@operation
def verify_an_address(stack: MeteredStack) -> Run:
    _sign_up(stack, "first@example.com")
    token = _mailed(stack, "first@example.com")
    assert stack.world.call("POST", "/api/users/email/verify", {"token": token}).status == 204
    return stack.last


@operation
def ask_for_a_new_password(stack: MeteredStack) -> Run:
    assert stack.world.call("POST", "/api/users/password/forgot", {"email": "first@example.com"}).status == 202
    return stack.last


@operation
def reset_a_password(stack: MeteredStack) -> Run:
    _sign_up(stack, "first@example.com")
    stack.world.call("POST", "/api/users/password/forgot", {"email": "first@example.com"})
    body = {"token": _mailed(stack, "first@example.com"), "password": "battery staple"}
    assert stack.world.call("POST", "/api/users/password/reset", body).status == 200
    return stack.last


@operation
def change_a_password(stack: MeteredStack) -> Run:
    body = {"current": PASSWORD, "new": "battery staple"}
    assert stack.world.call("PUT", "/api/users/password", body, by=_signed_in(stack)).status == 204
    return stack.last


@operation
def mail_a_link(stack: MeteredStack) -> Run:
    _sign_up(stack, "first@example.com")
    stack.world.call("POST", "/api/users/password/forgot", {"email": "first@example.com"})
    _mailed(stack, "first@example.com")
    return stack.last


@operation
def sign_out(stack: MeteredStack) -> Run:
    headers = {"Authorization": f"Bearer {_sign_up(stack, 'first@example.com')}"}
    assert stack.world.call("POST", "/api/users/signout", headers=headers).status == 204
    return stack.last


@operation
def list_sessions(stack: MeteredStack) -> Run:
    answer = stack.world.call("GET", "/api/users/sessions", by=_signed_in(stack))
    assert len(answer.json["sessions"]) == 1
    return stack.last


@operation
def end_a_session(stack: MeteredStack) -> Run:
    user = _signed_in(stack)
    assert stack.world.call("DELETE", f"/api/users/sessions/{user.session_id}", by=user).status == 204
    return stack.last


@operation
def end_all_sessions(stack: MeteredStack) -> Run:
    assert stack.world.call("DELETE", "/api/users/sessions", by=_signed_in(stack)).status == 204
    return stack.last


@operation
def put_a_ticket_on_sale(stack: MeteredStack) -> Run:
    stack.offer()
    return stack.last


@operation
def put_a_ticket_on_sale_with_a_key(stack: MeteredStack) -> Run:
    stack.offer(key=True)
    return stack.last


@operation
def edit_a_ticket(stack: MeteredStack) -> Run:
    path = f"/api/tickets/{stack.offered()}"
    assert stack.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stack.seller, key=True).status == 200
    return stack.found("tickets.api", "PUT /api/tickets/{id}")


@operation
def withdraw_a_ticket(stack: MeteredStack) -> Run:
    assert stack.call("DELETE", f"/api/tickets/{stack.offered()}", by=stack.seller, key=True).status == 204
    return stack.found("tickets.api", "DELETE /api/tickets/{id}")


@operation
def get_a_ticket(stack: MeteredStack) -> Run:
    return _read(stack, f"/api/tickets/{stack.offered()}")


@operation
def list_tickets_on_sale(stack: MeteredStack) -> Run:
    stack.offer()
    return _read(stack, "/api/tickets")


@operation
def list_own_tickets(stack: MeteredStack) -> Run:
    stack.offer()
    return _read(stack, "/api/tickets/mine", by=stack.seller)


@operation
def place_an_order(stack: MeteredStack) -> Run:
    assert stack.place(stack.offered()).status == 201
    return stack.last


@operation
def place_an_order_with_the_longest_title(stack: MeteredStack) -> Run:
    assert stack.place(stack.offered(title="x" * MAX_TITLE_LENGTH)).status == 201
    return stack.last


@operation
def place_an_order_with_a_key(stack: MeteredStack) -> Run:
    assert stack.place(stack.offered(), key=True).status == 201
    return stack.last


def place_the_buyers_eleventh_order(stack: MeteredStack) -> Run:
    """The buyer has cancelled one of ten orders, which the record of their holds does not know."""
    placed = [stack.ordered() for _ in range(10)]
    stack.call("DELETE", f"/api/orders/{placed[0]}", by=stack.buyer)
    assert stack.place(stack.offered()).status == 201
    return stack.last


OPERATIONS["place the buyer's eleventh order"] = place_the_buyers_eleventh_order


@operation
def place_an_order_twice(stack: MeteredStack) -> Run:
    ticket_id = stack.offered()
    stack.place(ticket_id)
    assert stack.place(ticket_id).status == 200
    return stack.last


@operation
def order_a_held_ticket(stack: MeteredStack) -> Run:
    ticket_id = stack.offered()
    stack.place(ticket_id, stack.rival)
    assert stack.place(ticket_id).code == "ticket_held"
    return stack.last


@operation
def order_a_ticket_held_since_the_read(stack: MeteredStack) -> Run:
    """The read still shows the ticket as free; the write finds it taken."""
    ticket_id = TicketID(stack.offered())
    read = OrderStore.ticket
    free = read(OrderStore(Table("orders", has_sort_key=True)), ticket_id)
    stack.place(ticket_id, stack.rival)

    def stale(store: OrderStore, ticket_id: TicketID, *, consistent: bool = False) -> HoldableTicket | None:
        read(store, ticket_id, consistent=consistent)
        return free

    with patch.object(OrderStore, "ticket", stale):
        assert stack.place(ticket_id).code == "ticket_held"
    return stack.last


@operation
def take_over_a_lapsed_order(stack: MeteredStack) -> Run:
    ticket_id = stack.offered()
    stack.place(ticket_id, stack.rival)
    stack.time.advance(minutes=6)
    assert stack.place(ticket_id).status == 201
    return stack.last


@operation
def get_an_order(stack: MeteredStack) -> Run:
    return _read(stack, f"/api/orders/{stack.ordered()}")


@operation
def list_orders(stack: MeteredStack) -> Run:
    stack.ordered()
    return _read(stack, "/api/orders")


@operation
def find_the_order_of_a_ticket(stack: MeteredStack) -> Run:
    order = _order(stack, stack.ordered())
    return _read(stack, f"/api/orders?ticketID={order['ticket']['id']}")


@operation
def cancel_an_order(stack: MeteredStack) -> Run:
    assert stack.call("DELETE", f"/api/orders/{stack.ordered()}", by=stack.buyer).status == 204
    return stack.last


@operation
def refund_an_order(stack: MeteredStack) -> Run:
    order_id = _bought(stack)["orderId"]
    assert stack.call("POST", f"/api/orders/{order_id}/refund", {}, by=stack.seller).status == 202
    return stack.last


@operation
def ask_for_a_refund(stack: MeteredStack) -> Run:
    path = f"/api/orders/{_bought(stack)['orderId']}/refund-request"
    assert stack.call("POST", path, {"reason": "I cannot come"}, by=stack.buyer).status == 202
    return stack.last


@operation
def put_a_refunded_ticket_on_sale_again(stack: MeteredStack) -> Run:
    payment = _bought(stack)
    ticket_id = _order(stack, payment["orderId"])["ticket"]["id"]
    stack.stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeId']}")
    stack.webhooks()
    stack.settle()
    assert stack.call("POST", f"/api/tickets/{ticket_id}/relist", by=stack.seller, key=True).status == 200
    return stack.found("tickets.api", "POST /api/tickets/{id}/relist")


@operation
def start_a_payment(stack: MeteredStack) -> Run:
    stack.pay(stack.ordered())
    return stack.last


@operation
def start_and_confirm_a_payment(stack: MeteredStack) -> Run:
    stack.pay(stack.ordered(), VISA)
    return stack.last


@operation
def get_a_payment(stack: MeteredStack) -> Run:
    order_id = stack.ordered()
    stack.pay(order_id, VISA)
    return _read(stack, f"/api/payments/{order_id}")


@operation
def get_a_payment_that_is_open(stack: MeteredStack) -> Run:
    order_id = stack.ordered()
    stack.pay(order_id)
    return _read(stack, f"/api/payments/{order_id}")


@operation
def webhook_authorised(stack: MeteredStack) -> Run:
    stack.authorise(stack.pay(stack.ordered()).json)
    stack.webhooks()
    return stack.last


@operation
def connect_an_account(stack: MeteredStack) -> Run:
    payout_gateway.keys()
    assert stack.call("POST", "/api/payouts/account", by=stack.seller, key=True).status == 200
    return stack.last


@operation
def connect_an_account_again(stack: MeteredStack) -> Run:
    connect_an_account(stack)
    assert stack.call("POST", "/api/payouts/account", by=stack.seller).status == 200
    return stack.last


@operation
def get_an_account(stack: MeteredStack) -> Run:
    """It is ready, and was read from Stripe within the last hour."""
    webhook_of_an_account(stack)
    return _read(stack, "/api/payouts/account", by=stack.seller)


@operation
def get_an_account_that_is_not_ready(stack: MeteredStack) -> Run:
    connect_an_account(stack)
    stack.time.advance(seconds=2)
    return _read(stack, "/api/payouts/account", by=stack.seller)


@operation
def webhook_of_an_account(stack: MeteredStack) -> Run:
    connect_an_account(stack)
    [account] = stack.stripe.api("GET", "/v1/accounts")["data"]
    stack.stripe.api("POST", f"/local/accounts/{account['id']}", "status=ready")
    assert [answer.status for answer in stack.stripe.webhooks(stack.world)] == [200]
    return stack.last


@operation
def webhook_captured(stack: MeteredStack) -> Run:
    """The listener that captured it has recorded the capture before."""
    stack.authorise(stack.pay(stack.ordered()).json)
    stack.webhooks()
    stack.settle()
    stack.webhooks()
    return stack.last


@operation
def webhook_refunded(stack: MeteredStack) -> Run:
    payment = _bought(stack)
    stack.stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeId']}")
    stack.webhooks()
    return stack.last


@operation
def relay_an_event(stack: MeteredStack) -> Run:
    stack.offered()
    return stack.found("tickets.relay", "ticket:created")


@operation
def expire_an_order(stack: MeteredStack) -> Run:
    """The timer's part only; `orders.listener` does the rest."""
    stack.expire(stack.ordered())
    return stack.last


@operation
def sweep_with_nothing_overdue(stack: MeteredStack) -> Run:
    stack.world.invoke("orders.sweep", {})
    return stack.last


@operation
def sweep_one_order(stack: MeteredStack) -> Run:
    stack.ordered()
    stack.time.advance(minutes=9)
    stack.world.invoke("orders.sweep", {})
    return stack.last


@operation
def expire_an_overdue_order(stack: MeteredStack) -> Run:
    stack.ordered()
    stack.time.advance(minutes=9)
    stack.world.repair("orders.sweep")
    return stack.last


@operation
def reconcile_with_nothing_unsettled(stack: MeteredStack) -> Run:
    stripe_gateway.keys()
    stack.world.invoke("payments.reconciler", {})
    return stack.last


@operation
def reconcile_one_payment(stack: MeteredStack) -> Run:
    """The webhook of its authorisation was lost."""
    _authorised_without_webhook(stack)
    stack.world.invoke("payments.reconciler", {})
    return stack.last


@operation
def settle_a_due_payment(stack: MeteredStack) -> Run:
    """The webhook of its authorisation was lost."""
    order_id = _authorised_without_webhook(stack)
    stack.world.invoke("payments.settler", sqs_batch({"orderID": order_id}))
    return stack.last


@operation
def find_payouts_with_nothing_due(stack: MeteredStack) -> Run:
    stack.world.invoke("payments.payout_finder", {})
    return stack.last


@operation
def find_one_due_payout(stack: MeteredStack) -> Run:
    _earned(stack)
    stack.world.invoke("payments.payout_finder", {})
    return stack.last


@operation
def send_a_payout(stack: MeteredStack) -> Run:
    order_id = _earned(stack)
    _connect_ready_account(stack)
    stack.world.invoke("payments.payout_worker", sqs_batch({"orderID": order_id}))
    return stack.last


@operation
def look_at_a_payout_without_an_account(stack: MeteredStack) -> Run:
    order_id = _earned(stack)
    stack.world.invoke("payments.payout_worker", sqs_batch({"orderID": order_id}))
    return stack.last


@operation
def look_at_a_seller_without_an_account(stack: MeteredStack) -> Run:
    look_at_a_payout_without_an_account(stack)
    stack.world.invoke("payments.payout_worker", sqs_batch({"sellerID": stack.seller.id}))
    return stack.last


@operation
def list_earnings(stack: MeteredStack) -> Run:
    _earned(stack)
    return _read(stack, "/api/payouts", by=stack.seller)


@operation
def export_earnings(stack: MeteredStack) -> Run:
    _earned(stack)
    return _read(stack, "/api/payouts/export?from=2026-11-01&to=2026-11-30", by=stack.seller)


def _earned(stack: MeteredStack) -> str:
    """Complete an order; return its id when its seller's earnings are due."""
    order_id = stack.ordered()
    stack.authorise(stack.pay(order_id).json)
    stack.webhooks()
    stack.settle()
    stack.time.advance(days=7, minutes=1)
    payout_gateway.keys()
    return order_id


def _connect_ready_account(stack: MeteredStack) -> None:
    assert stack.call("POST", "/api/payouts/account", by=stack.seller).status == 200
    [account] = stack.stripe.api("GET", "/v1/accounts")["data"]
    stack.stripe.api("POST", f"/local/accounts/{account['id']}", "status=ready")


def _authorised_without_webhook(stack: MeteredStack) -> str:
    order_id = stack.ordered()
    stack.authorise(stack.pay(order_id).json)
    stack.time.advance(minutes=8)
    stripe_gateway.keys()
    return order_id


# Scenarios, each with the events that listeners handle: see REACTIONS in test_calls.py.


def bought(stack: MeteredStack) -> None:
    """A purchase, from the offer to the last replica."""
    purchase(stack)


def edited(stack: MeteredStack) -> None:
    """A ticket is edited and all events are delivered."""
    edit_a_ticket(stack)
    stack.settle()


def edited_after_a_lapse(stack: MeteredStack) -> None:
    """A ticket is edited after its order has lapsed, and all events are delivered."""
    ticket_id = stack.offered()
    stack.place(ticket_id)
    stack.settle()
    stack.time.advance(minutes=5)
    path = f"/api/tickets/{ticket_id}"
    assert stack.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stack.seller).status == 200
    stack.settle()


def edited_too_late(stack: MeteredStack) -> None:
    """An order precedes the edit, and Tickets has not received its event."""
    ticket_id = stack.offered()
    stack.place(ticket_id)
    path = f"/api/tickets/{ticket_id}"
    with patch.object(stack, "deliver", lambda event: _deliver_except_holds(stack, event)):
        assert stack.call("PUT", path, {"title": TITLE, "price": "99.00"}, by=stack.seller).code == "ticket_held"


def cancelled_while_paying(stack: MeteredStack) -> None:
    """A buyer cancels while the payment is open."""
    order_id = stack.ordered()
    stack.pay(order_id)
    stack.call("DELETE", f"/api/orders/{order_id}", by=stack.buyer)
    stack.settle()


def lapsed(stack: MeteredStack) -> None:
    """An order lapses."""
    order_id = stack.ordered()
    stack.time.advance(minutes=5)
    stack.expire(order_id)
    stack.settle()


def not_captured(stack: MeteredStack) -> None:
    """The held funds are gone before they are captured."""
    order_id = stack.ordered()
    payment = stack.pay(order_id, VISA).json
    stack.stripe.api("POST", f"/v1/payment_intents/{payment['stripeId']}/cancel")
    stack.settle()


def _deliver_except_holds(stack: MeteredStack, event: dict[str, Any]) -> None:
    if event["detail-type"] != "order:created":
        MeteredStack.deliver(stack, event)


def refunded(stack: MeteredStack) -> None:
    """A purchase is refunded by hand at Stripe: a part of it, then the rest."""
    payment = _bought(stack)
    for form in ("&amount=500", ""):
        stack.stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeId']}{form}")
        stack.webhooks()
        stack.settle()


def refunded_by_the_seller(stack: MeteredStack) -> None:
    """The seller refunds a purchase."""
    order_id = _bought(stack)["orderId"]
    assert stack.call("POST", f"/api/orders/{order_id}/refund", {}, by=stack.seller).status == 202
    stack.settle()
    stack.webhooks()
    stack.settle()


def _bought(stack: MeteredStack) -> dict[str, Any]:
    """Return the payment of a completed order, with all webhooks delivered."""
    payment: dict[str, Any] = stack.pay(stack.ordered(), VISA).json
    stack.settle()
    stack.webhooks()
    return payment


def _order(stack: MeteredStack, order_id: str) -> dict[str, Any]:
    return dict(stack.call("GET", f"/api/orders/{order_id}", by=stack.buyer).json)


def _sign_up(stack: MeteredStack, email: str) -> str:
    answer = stack.world.call("POST", "/api/users/signup", {"email": email, "password": PASSWORD})
    assert answer.status == 201, answer.text
    return str(answer.json["token"])


def _mailed(stack: MeteredStack, to: str) -> str:
    with replaced() as ses:
        assert stack.world.perform_tasks() == []
        return ses.token(to)


def _authorise(stack: MeteredStack, token: str) -> Run:
    answer = stack.world.invoke("auth.authorizer", {"headers": {"authorization": f"Bearer {token}"}})
    assert answer["context"]["userID"]
    return stack.last


def _signed_in(stack: MeteredStack) -> Person:
    token = _sign_up(stack, "first@example.com")
    context = stack.world.invoke("auth.authorizer", {"headers": {"authorization": f"Bearer {token}"}})["context"]
    return Person(context["userID"], context["email"], context["sessionID"])


def _read(stack: MeteredStack, path: str, *, by: Person | None = None) -> Run:
    assert stack.call("GET", path, by=by or stack.buyer).status == 200
    return stack.last
