"""The rules of a seller's connected account at Stripe, as pure functions.

    none ──► incomplete ──► ready ◄──► restricted

An account is created once for each user: the attempt is stored first, and its number is part of the idempotency key.
Only the recorded account gets an onboarding link, so an account that was created but not recorded can never be ready,
and nothing is ever sent to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from functions.payments.payment import PaymentError
from shared.ids import UserID

KEY_KEPT = timedelta(hours=23)
"""How long an idempotency key is used. Stripe forgets keys after 24 hours at the earliest ("Idempotent requests")."""
READ_EVERY = timedelta(seconds=2)
"""How often an account that is not ready is read from Stripe at most, while its user asks."""
SETTLED_READ_EVERY = timedelta(hours=1)
"""The same for an account that is ready, or was closed. Webhooks report changes sooner."""


class AccountRejected(PaymentError):
    """Stripe has rejected the account. It can receive nothing, and the seller gets no other."""

    def __init__(self) -> None:
        super().__init__("Stripe has rejected your account; ask the operator of this marketplace")


class AccountStatus(StrEnum):
    """The status of a seller's account. The values are part of the API."""

    NONE = "none"
    INCOMPLETE = "incomplete"
    READY = "ready"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as Stripe shows it.

    `can_receive`: transfers to it are accepted. `is_submitted`: the user has been through the onboarding pages.
    `missing` are the names of what Stripe requires now, `disabled_reason` why it cannot be used. `stage` and `user_id`
    are its metadata.
    """

    id: str
    can_receive: bool
    is_submitted: bool
    missing: Sequence[str]
    is_pending: bool
    disabled_reason: str | None
    stage: str | None = None
    user_id: str | None = None

    def is_rejected(self) -> bool:
        """Return whether Stripe, or the operator at Stripe, has rejected the account for good."""
        return (self.disabled_reason or "").startswith("rejected.")

    def status(self) -> AccountStatus:
        """Return the account's status: ready if it can receive transfers.

        Otherwise it is incomplete until the user has submitted all details and while Stripe checks them, and restricted
        if Stripe requires more, or has disabled it.
        """
        if self.is_rejected():
            return AccountStatus.RESTRICTED
        if self.can_receive:
            return AccountStatus.READY
        if not self.is_submitted or (self.is_pending and not self.missing):
            return AccountStatus.INCOMPLETE
        return AccountStatus.RESTRICTED

    def requirements(self) -> tuple[str, ...]:
        """Return in plain words what is missing, or what the user has to wait for."""
        if self.is_rejected():
            return ("Stripe has rejected this account",)
        missing = tuple(dict.fromkeys(map(_in_words, self.missing)))
        if missing or self.status() is AccountStatus.READY:
            return missing
        return ("Stripe is checking your details",) if self.is_pending else ("Stripe has paused this account",)


_WORDS = {
    "external_account": "Bank account",
    "tos_acceptance": "Acceptance of Stripe's terms",
    "business_profile": "Details of what you sell",
    "business_type": "Details of what you sell",
    "settings": "Details of what you sell",
    "company": "Details of your business",
    "documents": "Document about your business",
    "owners": "Details of the owners",
    "directors": "Details of the directors",
    "executives": "Details of the executives",
}
_PERSON = ("individual", "representative", "person_")


def _in_words(requirement: str) -> str:
    """Return a requirement of Stripe (`individual.verification.document`) in plain words."""
    subject, _, field = requirement.partition(".")
    if subject.startswith(_PERSON):
        return "Identity document" if field.startswith("verification") else "Personal details"
    return _WORDS.get(subject, "Further details")


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """A user's account as we know it.

    `attempt` numbers the attempts to create it, `began_at` is when the last one began. `stripe_id` is set once it has
    been created and recorded. `is_closed`: it no longer exists at Stripe. `status` and `requirements` are what Stripe
    showed at `read_at`. `revision` rises with every write.
    """

    user_id: UserID
    attempt: int
    began_at: datetime
    stripe_id: str | None = None
    is_closed: bool = False
    is_rejected: bool = False
    status: AccountStatus = AccountStatus.NONE
    requirements: Sequence[str] = ()
    read_at: datetime | None = None
    revision: int = 0

    @classmethod
    def first_attempt(cls, user_id: UserID, now: datetime) -> "ConnectedAccount":
        """Return the account that is about to be created for a user who has none."""
        return cls(user_id=user_id, attempt=1, began_at=now)

    def key(self, stage: str) -> str:
        """Return the idempotency key of the current attempt to create the account."""
        return f"account/{stage}/{self.user_id}/{self.attempt}"

    def needs_attempt(self, now: datetime) -> bool:
        """Return whether another attempt must begin: Stripe may have forgotten the key, or the account was closed."""
        return self.is_closed or (self.stripe_id is None and now - self.began_at >= KEY_KEPT)

    def next_attempt(self, now: datetime) -> "ConnectedAccount":
        """Return the account with another attempt to create it, under another key."""
        return ConnectedAccount(self.user_id, self.attempt + 1, now, revision=self.revision)

    def created(self, view: AccountView, now: datetime) -> "ConnectedAccount":
        """Return the account as created by the current attempt."""
        return replace(self, stripe_id=view.id).observe(view, now)

    def observe(self, view: AccountView, now: datetime) -> "ConnectedAccount":
        """Return the account with what Stripe shows."""
        return replace(
            self,
            status=view.status(),
            requirements=view.requirements(),
            is_rejected=view.is_rejected(),
            is_closed=False,
            read_at=now,
        )

    def closed(self, now: datetime) -> "ConnectedAccount":
        """Return the account as one that no longer exists at Stripe. Its user may connect another."""
        return replace(
            self,
            status=AccountStatus.RESTRICTED,
            requirements=("This account was closed at Stripe",),
            is_closed=True,
            read_at=now,
        )

    def is_to_be_read(self, now: datetime) -> bool:
        """Return whether its user's question requires a read from Stripe."""
        if self.stripe_id is None:
            return False
        is_settled = self.status is AccountStatus.READY or self.is_closed
        return self.read_at is None or now - self.read_at >= (SETTLED_READ_EVERY if is_settled else READ_EVERY)
