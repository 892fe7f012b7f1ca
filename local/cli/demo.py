"""`make demo` and `make smoke URL=`: a purchase from end to end, step by step, over HTTP.

Uses the given address, which may be a stage on AWS with Stripe's test mode; else the `make run` of this checkout if its
order window is short enough to wait for; else a temporary stack.
"""

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any

from local.api_client import Client, Response, UnexpectedResponse
from local.cli.console import console, fail, step
from local.cli.run import FAILURES, LOGS, RUN_LOCK, Stopped
from local.stack import temporary_stack
from local.supervision.lock import is_held, read_holder

WINDOW = 15
"""Seconds; long enough to pay within, short enough to wait for."""
MAX_WINDOW_SECONDS = 60
SETTLED_WITHIN = 30.0


class RealMoney(RuntimeError):
    """The stage charges real cards."""


class NotSettled(RuntimeError):
    """An expected state was not reached in time."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.cli.demo", description=__doc__)
    parser.add_argument("--url", help="address of a running stack, for example http://127.0.0.1:3000")
    url = parser.parse_args().url
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    started = time.monotonic()
    try:
        with _stack(url) as api:
            console.print(f"A purchase at [bold]{api.url}[/]")
            Story(api).run()
    except (*FAILURES, NotSettled, RealMoney) as error:
        where = "the stage's log groups" if url else f"{LOGS.relative_to(LOGS.parent.parent)}/"
        return fail(f"{error}\nThe functions' logs are in {where}")
    except Stopped:
        return fail("Stopped.")
    console.print(f"[bold green]All steps passed[/] [dim]({time.monotonic() - started:.0f} s)[/]")
    return 0


@contextmanager
def _stack(url: str | None) -> Iterator[Client]:
    running = url or _running()
    if running:
        yield Client(running)
        return
    console.print(f"Starting a temporary stack; an order holds its ticket for {WINDOW} s")
    with temporary_stack("demo", order_window_seconds=WINDOW, step=step, logs=LOGS / "demo") as stack:
        yield stack.api


def _running() -> str | None:
    """The address of this checkout's `make run`, if it is usable for the demo."""
    if not is_held(RUN_LOCK):
        return None
    holder = read_holder(RUN_LOCK)
    url = holder.get("url")
    if not url:
        return None
    if not holder.get("localStripe") or int(holder.get("orderWindowSeconds", 0)) > MAX_WINDOW_SECONDS:
        console.print(f"{url} is running, but its order window is too long (or it uses Stripe's own test mode).")
        return None
    return str(url)


class Story:
    """One seller, three buyers, two tickets."""

    def __init__(self, api: Client) -> None:
        self._api = api

    def run(self) -> None:
        """Run all steps. Raises the error of the step that failed."""
        with step("Four people sign up") as say:
            people = ("seller", "alice", "bob", "carol")
            self._seller, self._alice, self._bob, self._carol = map(self._newcomer, people)
            say("a seller, Alice, Bob and Carol")
        with step("The seller puts two tickets on sale") as say:
            first = self._sell("Cup final, block 112", "120.00")
            second = self._sell("Chamber music at noon", "18.50")
            self._wait("both tickets on sale", lambda: {first, second} <= self._on_sale())
            say("120.00 and 18.50 USD")
        # Cold starts are waited for here, before a ticket is held for the rest of the demo.
        self._cancel(second)
        order = self._hold(first)
        self._pay_for(first, order)
        self._lapse(second)

    def _cancel(self, ticket: str) -> None:
        # Not one of the later buyers: who orders a ticket and does not pay, cannot order it again for a while.
        with step("Carol orders a ticket and cancels") as say:
            order = self._place(self._carol, ticket)
            self._wait("the hold shows", lambda: self._status(self._seller, ticket) != "available")
            self._refuse("pay for nothing", self._carol.post("/api/payments", {"orderId": "no-such-order"}), 404)
            self._carol.delete(f"/api/orders/{order['id']}").expect(HTTPStatus.NO_CONTENT)
            self._wait("the ticket is on sale again", lambda: ticket in self._on_sale())
            say("the ticket is on sale again")

    def _hold(self, ticket: str) -> dict[str, Any]:
        with step("Alice orders the other ticket") as say:
            order = self._place(self._alice, ticket)
            say(f"held until {order['expiresAt']}")
        with step("Bob orders the same ticket") as say:
            answer = self._refuse("order it", self._bob.post("/api/orders", {"ticketID": ticket}), 409, "ticket_held")
            say(f"409: {answer.body['detail']}")
        with step("The seller raises the price") as say:
            self._wait("the seller sees the hold", lambda: self._status(self._seller, ticket) == "reserved")
            edit = self._seller.put(f"/api/tickets/{ticket}", {"title": "Cup final", "price": "500.00"})
            say(f"409: {self._refuse('change it', edit, 409).body['detail']}")
        return order

    def _pay_for(self, ticket: str, order: dict[str, Any]) -> None:
        alice = self._alice
        with step("Alice starts the payment") as say:
            started = alice.post_until_replicated("/api/payments", {"orderId": order["id"]}).expect(HTTPStatus.CREATED)
            if not str(started["publishableKey"]).startswith("pk_test_"):
                raise RealMoney("This stage charges real cards. Use a stage with Stripe's test keys.")
            say("with Stripe's test cards")
        with step("Alice pays with a card without funds") as say:
            answer = self._pay(alice, order, "tok_visa_chargeDeclinedInsufficientFunds")
            say(f"402: {self._refuse('be charged', answer, 402, 'card_declined').body['detail']}")
        with step("Alice pays with another card") as say:
            payment = self._pay(alice, order, "tok_visa").expect(HTTPStatus.OK, HTTPStatus.CREATED)
            say(f"{payment['amount'] / 100:.2f} {payment['currency'].upper()}, {payment['status']}")
        with step("The order completes, the ticket is sold"):
            self._wait_until_bought(alice, order)
            self._wait("the money is captured", lambda: self._payment(alice, order) == "captured")
            self._wait("the ticket is sold", lambda: self._status(self._seller, ticket) == "sold")
        with step("Bob orders it again") as say:
            answer = self._refuse("order it", self._bob.post("/api/orders", {"ticketID": ticket}), 409, "ticket_sold")
            say(f"409: {answer.body['detail']}")

    def _lapse(self, ticket: str) -> None:
        with step("Bob orders the second ticket") as say:
            lapsing = self._place(self._bob, ticket)
            say(f"held until {lapsing['expiresAt']}")
        if _timestamp(lapsing["expiresAt"]) - time.time() > MAX_WINDOW_SECONDS:
            with step("Bob cancels") as say:
                self._bob.delete(f"/api/orders/{lapsing['id']}").expect(HTTPStatus.NO_CONTENT)
                # Being on sale is no proof: the event of its hold may still be in flight, followed by that of the
                # hold's end.
                withdraw = f"/api/tickets/{ticket}"
                self._wait("the ticket is free", lambda: self._seller.delete(withdraw).status == HTTPStatus.NO_CONTENT)
                say("the order window is too long to wait for; the seller withdraws the ticket")
            return
        with step("Bob does not pay, and the order lapses"):
            time.sleep(max(0.0, _timestamp(lapsing["expiresAt"]) - time.time()))
            self._wait("the ticket is on sale again", lambda: ticket in self._on_sale())
        with step("Alice orders that ticket"):
            rebought = self._place(self._alice, ticket)
        with step("Bob pays too late") as say:
            answer = self._refuse("pay", self._pay(self._bob, lapsing, "tok_visa"), 409)
            say(f"409: {answer.body['detail']}")
        with step("Alice pays, and has both tickets"):
            self._pay(self._alice, rebought, "tok_visa").expect(HTTPStatus.OK, HTTPStatus.CREATED)
            self._wait_until_bought(self._alice, rebought)
            self._wait("Bob's order is cancelled", lambda: self._order(self._bob, lapsing) == "cancelled")

    def _newcomer(self, name: str) -> Client:
        return self._api.sign_up_or_in(f"{name}-{secrets.token_hex(4)}@example.com", secrets.token_hex(8))

    def _sell(self, title: str, price: str) -> str:
        created = self._seller.post("/api/tickets", {"title": title, "price": price}).expect(HTTPStatus.CREATED)
        return str(created["id"])

    def _place(self, buyer: Client, ticket: str) -> dict[str, Any]:
        order: dict[str, Any] = buyer.post_until_replicated("/api/orders", {"ticketID": ticket}).expect(
            HTTPStatus.CREATED
        )
        return order

    def _pay(self, buyer: Client, order: dict[str, Any], token: str) -> Response:
        return buyer.post_until_replicated("/api/payments", {"orderId": order["id"], "token": token})

    def _refuse(self, what: str, answer: Response, status: int, code: str | None = None) -> Response:
        if answer.status != status or (code and answer.code != code):
            raise UnexpectedResponse(
                f"should not be able to {what}: expected {status} {code or ''}, got {answer.status} {answer.body}"
            )
        return answer

    def _on_sale(self) -> set[str]:
        page = self._api.get("/api/tickets?limit=100").expect(HTTPStatus.OK)
        return {ticket["id"] for ticket in page["tickets"]}

    def _status(self, caller: Client, ticket: str) -> str:
        return str(caller.get(f"/api/tickets/{ticket}").expect(HTTPStatus.OK)["status"])

    def _order(self, buyer: Client, order: dict[str, Any]) -> str:
        return str(buyer.get(f"/api/orders/{order['id']}").expect(HTTPStatus.OK)["status"])

    def _payment(self, buyer: Client, order: dict[str, Any]) -> str:
        return str(buyer.get(f"/api/payments/{order['id']}").expect(HTTPStatus.OK)["status"])

    def _wait_until_bought(self, buyer: Client, order: dict[str, Any]) -> None:
        self._wait("the order is completed", lambda: self._order(buyer, order) == "completed")

    def _wait(self, what: str, has_come: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLED_WITHIN
        while not has_come():
            if time.monotonic() > deadline:
                raise NotSettled(f"after {SETTLED_WITHIN:.0f} s still not true: {what}")
            time.sleep(0.2)


def _timestamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _stop(*_: object) -> None:
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
