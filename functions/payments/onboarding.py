"""The use cases of a seller's account: connect it, and know its status.

The account is created once, whatever races: the attempt is written first, Stripe is called under the attempt's
idempotency key, and the account is recorded on condition that the attempt is still the current one. A process that
dies in between leaves the attempt, which the next call completes under the same key.
"""

from dataclasses import dataclass

from functions.payments.account_store import AccountStore
from functions.payments.connected_account import AccountRejected, AccountStatus, ConnectedAccount
from functions.payments.earning_store import EarningStore
from functions.payments.payment import PaymentsNotConfigured, StripeUnavailable
from functions.payments.payout_gateway import AccountMissing, OnboardingLink, PayoutGateway, Refused, ServerError
from shared import clock, settings
from shared.ids import UserID
from shared.telemetry import logger
from shared.unit_of_work import retry_on_conflict

MAX_ATTEMPTS = 4  # each may call Stripe, and together they must end before the function's timeout
PAGE = "/payouts"
"""The client's page about payouts, to which Stripe's pages lead back."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of onboarding."""

    public_origin: str


def connect(store: AccountStore, user_id: UserID) -> tuple[ConnectedAccount, OnboardingLink]:
    """Return the user's account, created if there is none, and a fresh link to its onboarding pages.

    An account that was closed at Stripe is replaced. Raises AccountRejected, StripeUnavailable, PaymentsNotConfigured,
    Refused, AccountMissing, Contention.
    """
    stripe = PayoutGateway.for_seller()
    account, stripe_id = _ensure_account(store, stripe, user_id)
    try:
        return account, _link(stripe, stripe_id)
    except AccountMissing:
        refresh(store, stripe, user_id)
    account, stripe_id = _ensure_account(store, stripe, user_id)
    return account, _link(stripe, stripe_id)


def get_account(store: AccountStore, user_id: UserID) -> ConnectedAccount | None:
    """Return the user's account, None if there is none. It is read from Stripe first, unless it was read recently.

    If Stripe does not respond, returns the recorded state.
    """
    account = store.account(user_id)
    if account is None or not account.is_to_be_read(clock.now()):
        return account
    try:
        return refresh(store, PayoutGateway.for_seller(), user_id)
    except (StripeUnavailable, PaymentsNotConfigured, Refused) as error:
        logger.warning("returning the recorded account", reason=str(error))
        return account


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def refresh(store: AccountStore, stripe: PayoutGateway, user_id: UserID) -> ConnectedAccount | None:
    """Read the user's account from Stripe, and record what it shows; None if the user has no account.

    Once it is ready, earnings that have waited for it are looked at. Raises StripeUnavailable, PaymentsNotConfigured,
    Refused, Contention.
    """
    account = store.account(user_id)
    if account is None or account.stripe_id is None:
        return account
    try:
        after = account.observe(stripe.account(account.stripe_id), clock.now())
    except AccountMissing:
        after = account.closed(clock.now())
    stored = store.replace(account, after)
    store.commit(stored)
    if stored.status is not account.status:
        if stored.status is AccountStatus.READY:
            EarningStore(store.table).wake_seller(user_id)
        logger.info("account changed", status=stored.status, before=account.status, account=stored.stripe_id)
    return stored


@retry_on_conflict(attempts=MAX_ATTEMPTS)
def _ensure_account(store: AccountStore, stripe: PayoutGateway, user_id: UserID) -> tuple[ConnectedAccount, str]:
    """Return the user's account, created if there is none, and its id at Stripe."""
    account = _begin(store, user_id)
    if account.stripe_id is not None:
        return account, account.stripe_id
    try:
        view = stripe.create_account(user_id, key=account.key(stripe.stage))
    except (Refused, ServerError):
        # The key would give this answer for a day. An account that Stripe has created nevertheless is not recorded, so
        # nobody gets a link to it, and it can never receive money.
        store.replace(account, account.next_attempt(clock.now()))
        store.commit()
        raise
    stored = store.replace(account, account.created(view, clock.now()))
    store.commit(stored)
    return stored, view.id


def _begin(store: AccountStore, user_id: UserID) -> ConnectedAccount:
    """Return the user's account or the stored attempt to create it. Raises AccountRejected, VersionConflict."""
    account = store.account(user_id)
    if account is None:
        account = store.insert(ConnectedAccount.first_attempt(user_id, clock.now()))
    elif account.is_rejected:
        raise AccountRejected
    elif account.needs_attempt(clock.now()):
        account = store.replace(account, account.next_attempt(clock.now()))
    else:
        return account
    store.commit()
    return account


def _link(stripe: PayoutGateway, stripe_id: str) -> OnboardingLink:
    page = f"{settings.load(Settings).public_origin}{PAGE}"
    return stripe.onboarding_link(
        stripe_id, return_url=f"{page}?onboarding=returned", refresh_url=f"{page}?onboarding=expired"
    )
