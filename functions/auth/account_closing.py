"""Deleting an account: it is closed at once, and erased as soon as nothing of the user is open.

For half a minute API Gateway still accepts the user's tokens, so an order or a ticket can be made after the request has
found nothing open. The request therefore only marks the user, in the index that the eraser reads, and the eraser looks
again when no token is accepted any more (QUIET). Until then the user's other items remain, and their mails are sent.
"""

from datetime import timedelta

from functions.auth.account_changes import confirm_password
from functions.auth.other_services import Service, ask
from functions.auth.store import UserStore
from functions.auth.user import AuthError, OrderOpen, TicketHeld
from shared import clock
from shared.ids import UserID
from shared.unit_of_work import retry_on_conflict
from shared.work_queue import RESERVED_SECONDS, Remaining

QUIET = timedelta(seconds=90)
"""Longer than API Gateway keeps the authorizer's answer, and the request that it has let pass takes."""

ASKED: tuple[Service, ...] = ("tickets", "orders")
"""The services in which something of a user can be open."""

CHECKED_PAGES = 2
"""How much of each service the request looks at, the newest first. The eraser looks at everything."""

_REFUSALS: dict[str, type[AuthError]] = {"order_open": OrderOpen, "ticket_held": TicketHeld}


def close_account(store: UserStore, *, user_id: UserID, password: str) -> None:
    """Delete the user's account, if nothing of theirs is open. Does nothing if it is being deleted.

    All sessions and links end. Raises UserGone, WrongPassword, TooManyAttempts, OrderOpen, TicketHeld,
    ServiceUnavailable.
    """
    if store.closing_user(user_id):
        return
    confirm_password(store, user_id, password)
    for service in ASKED:
        _check_nothing_open(service, user_id)
    _mark(store, user_id)


@retry_on_conflict()
def _mark(store: UserStore, user_id: UserID) -> None:
    user = store.user(user_id)
    if user:  # else an attempt whose response was lost, or another request, has marked them
        store.replace(user, user.close(now=clock.now()))
        store.commit()


def _check_nothing_open(service: Service, user_id: UserID) -> None:
    after = None
    for _ in range(CHECKED_PAGES):
        answer = ask(service, "check", user_id, after=after)
        for reason in answer["reasons"]:
            raise _REFUSALS[reason]()
        after = answer["next"]
        if after is None:
            return


def erase_account(store: UserStore, user_id: UserID, remaining: Remaining) -> bool:
    """Erase a closed account, if nothing of the user is open. Returns whether it is erased.

    Tickets withdraws what is unsold. Everything is looked at in one run: a ticket that is withdrawn or sold, and an
    order that has ended, stay so. Raises ServiceUnavailable.
    """
    closed = [_is_closed(service, user_id, remaining) for service in ASKED]
    if not all(closed):
        return False
    _erase(store, user_id)
    return True


def _is_closed(service: Service, user_id: UserID, remaining: Remaining) -> bool:
    is_closed, after = True, None
    while remaining() >= RESERVED_SECONDS:
        answer = ask(service, "close", user_id, after=after)
        is_closed = is_closed and not answer["reasons"]
        after = answer["next"]
        if after is None:
            return is_closed
    return False


@retry_on_conflict()
def _erase(store: UserStore, user_id: UserID) -> None:
    user = store.closing_user(user_id)
    if user:
        store.erase(user)
        store.commit()
