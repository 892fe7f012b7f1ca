"""A seller's account: its status by what Stripe shows, and the attempts to create it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.payments.connected_account import (
    KEY_KEPT,
    READ_EVERY,
    SETTLED_READ_EVERY,
    AccountStatus,
    AccountView,
    ConnectedAccount,
)
from shared.ids import UserID

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NEW = AccountView(
    id="acct_1",
    can_receive=False,
    is_submitted=False,
    missing=["external_account", "individual.first_name"],
    is_pending=False,
    disabled_reason="requirements.past_due",
)
READY = replace(NEW, can_receive=True, is_submitted=True, missing=[], disabled_reason=None)
CHECKED = replace(
    NEW, is_submitted=True, missing=[], is_pending=True, disabled_reason="requirements.pending_verification"
)
ATTEMPT = ConnectedAccount.first_attempt(UserID("seller"), NOW)
RECORDED = ATTEMPT.created(NEW, NOW)


@pytest.mark.parametrize("can_receive", [False, True])
@pytest.mark.parametrize("is_submitted", [False, True])
@pytest.mark.parametrize("missing", [[], ["external_account"]])
@pytest.mark.parametrize("is_pending", [False, True])
@pytest.mark.parametrize("reason", [None, "requirements.past_due", "rejected.fraud", "listed"])
def test_the_status_follows_from_what_stripe_shows(
    *, can_receive: bool, is_submitted: bool, missing: list[str], is_pending: bool, reason: str | None
) -> None:
    view = AccountView("acct_1", can_receive, is_submitted, missing, is_pending, reason)

    if reason == "rejected.fraud":
        expected = AccountStatus.RESTRICTED
    elif can_receive:
        expected = AccountStatus.READY
    elif not is_submitted:
        expected = AccountStatus.INCOMPLETE
    elif missing:
        expected = AccountStatus.RESTRICTED
    else:
        expected = AccountStatus.INCOMPLETE if is_pending else AccountStatus.RESTRICTED
    assert view.status() is expected
    assert view.is_rejected() is (reason == "rejected.fraud")
    assert bool(view.requirements()) is (expected is not AccountStatus.READY or bool(missing))


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("external_account", "Bank account"),
        ("tos_acceptance.date", "Acceptance of Stripe's terms"),
        ("business_profile.url", "Details of what you sell"),
        ("company.tax_id", "Details of your business"),
        ("individual.dob.day", "Personal details"),
        ("person_1AbC.verification.document", "Identity document"),
        ("individual.verification.additional_document", "Identity document"),
        ("representative.email", "Personal details"),
        ("owners.email", "Details of the owners"),
        ("interv_1.something_new", "Further details"),
    ],
)
def test_requirements_are_in_plain_words(requirement: str, words: str) -> None:
    assert replace(NEW, missing=[requirement]).requirements() == (words,)


def test_each_requirement_is_named_once() -> None:
    view = replace(NEW, missing=["individual.dob.day", "external_account", "individual.dob.month", "external_account"])
    assert view.requirements() == ("Personal details", "Bank account")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (CHECKED, "Stripe is checking your details"),
        (replace(CHECKED, is_pending=False, disabled_reason="listed"), "Stripe has paused this account"),
        (replace(READY, disabled_reason="rejected.other"), "Stripe has rejected this account"),
    ],
)
def test_a_seller_who_can_do_nothing_is_told_why(view: AccountView, words: str) -> None:
    assert view.requirements() == (words,)


def test_a_ready_account_may_have_requirements() -> None:
    """Stripe asks for them later, before it restricts the account."""
    view = replace(READY, missing=["external_account"])
    assert (view.status(), view.requirements()) == (AccountStatus.READY, ("Bank account",))


def test_each_attempt_has_a_key_of_its_own() -> None:
    later = ATTEMPT.next_attempt(NOW)

    assert ATTEMPT.key("prod") == "account/prod/seller/1"
    assert later.key("prod") == "account/prod/seller/2"
    assert ATTEMPT.key("dev") != ATTEMPT.key("prod")


def test_an_attempt_is_repeated_for_as_long_as_stripe_keeps_its_key() -> None:
    assert not ATTEMPT.needs_attempt(NOW + KEY_KEPT - timedelta(seconds=1))
    assert ATTEMPT.needs_attempt(NOW + KEY_KEPT)
    assert timedelta(hours=24) > KEY_KEPT


def test_a_recorded_account_is_replaced_only_once_it_is_closed() -> None:
    later = NOW + timedelta(days=30)
    closed = RECORDED.closed(later)
    replaced = closed.next_attempt(later)

    assert not RECORDED.needs_attempt(later)
    assert closed.needs_attempt(later)
    assert (closed.status, closed.requirements) == (AccountStatus.RESTRICTED, ("This account was closed at Stripe",))
    assert (replaced.stripe_id, replaced.is_closed, replaced.status) == (None, False, AccountStatus.NONE)


def test_a_closed_account_that_stripe_shows_again_is_open() -> None:
    """As after a mistake of the operator, such as the key of another platform."""
    back = RECORDED.closed(NOW).observe(READY, NOW)
    assert (back.is_closed, back.status, back.requirements) == (False, AccountStatus.READY, ())


def test_a_rejected_account_stays_marked_until_stripe_shows_otherwise() -> None:
    rejected = RECORDED.observe(replace(READY, disabled_reason="rejected.fraud"), NOW)

    assert rejected.is_rejected
    assert not rejected.observe(READY, NOW).is_rejected


@pytest.mark.parametrize(
    ("account", "every"),
    [
        (RECORDED, READ_EVERY),
        (RECORDED.observe(CHECKED, NOW), READ_EVERY),
        (RECORDED.observe(READY, NOW), SETTLED_READ_EVERY),
        (RECORDED.closed(NOW), SETTLED_READ_EVERY),
    ],
)
def test_an_account_is_read_again_by_its_status(account: ConnectedAccount, every: timedelta) -> None:
    assert not account.is_to_be_read(NOW + every - timedelta(milliseconds=1))
    assert account.is_to_be_read(NOW + every)


def test_without_an_account_there_is_nothing_to_read() -> None:
    assert not ATTEMPT.is_to_be_read(NOW + timedelta(days=1))
