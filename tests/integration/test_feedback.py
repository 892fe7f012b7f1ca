"""Bounces and complaints, in the form in which SES publishes them, mark the address of their user."""

from typing import Any

import pytest

from functions.auth.store import UserStore
from functions.auth.user import Account, User
from shared import clock
from shared.ids import UserID, new_id
from shared.table import Contention, Table
from tests.support.lambda_events import sqs_batch
from tests.support.signing_key import SigningKey
from tests.support.world import World

FEEDBACK = "auth.feedback"


def _store() -> UserStore:
    return UserStore(Table("auth"))


def _add(email: str) -> UserID:
    user = User(id=UserID(new_id()), email=email, created_at=clock.now())
    _store().insert(user, Account(id=user.id, email=email, password_hash="hash"))
    return user.id


@pytest.fixture
def ada(world: World) -> UserID:
    return _add("ada@example.com")


def _is_suppressed(user_id: UserID) -> bool:
    user = _store().user(user_id)
    assert user
    return user.is_email_suppressed


def _event(detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    mail = {
        "timestamp": "2026-11-28T00:40:02.012Z",
        "source": "Admit One <mail@tickets.example.com>",
        "messageId": "EXAMPLE7c191be45",
        "destination": ["ada@example.com"],
        "tags": {"ses:configuration-set": ["mails"], "mail": ["OrderCompleted"]},
    }
    return {
        "version": "0",
        "id": new_id(),
        "detail-type": detail_type,
        "source": "aws.ses",
        "account": "123456789012",
        "detail": {"mail": mail} | detail,
    }


def _bounce(address: str = "ada@example.com", *, kind: str = "Permanent") -> dict[str, Any]:
    recipient = {"emailAddress": address, "action": "failed", "status": "5.1.1"}
    bounce = {
        "bounceType": kind,
        "bounceSubType": "General",
        "bouncedRecipients": [recipient],
        "timestamp": "2026-11-28T00:41:02.669Z",
        "feedbackId": "01000157c44f053b",
    }
    return _event("Email Bounced", {"eventType": "Bounce", "bounce": bounce})


def _complaint(kind: str | None = "abuse") -> dict[str, Any]:
    complaint = {
        "complainedRecipients": [{"emailAddress": "ada@example.com"}],
        "timestamp": "2026-11-28T00:41:02.669Z",
        "feedbackId": "01000157c44f053b",
        "userAgent": "Amazon SES Mailbox Simulator",
    } | ({"complaintFeedbackType": kind} if kind else {})
    return _event("Email Complaint Received", {"eventType": "Complaint", "complaint": complaint})


def _deliver(world: World, event: dict[str, Any]) -> bool:
    return not world.invoke(FEEDBACK, sqs_batch(event))["batchItemFailures"]


@pytest.mark.parametrize(
    ("event", "metric"),
    [(_bounce(), "MailsBounced"), (_complaint(), "MailsComplainedAbout"), (_complaint(None), "MailsComplainedAbout")],
)
def test_a_permanent_bounce_or_a_complaint_marks_the_address(
    world: World, ada: UserID, event: dict[str, Any], metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = _add("bob@example.com")
    for _ in range(2):
        assert _deliver(world, event)
    assert _is_suppressed(ada)
    assert not _is_suppressed(bob)
    logged = capsys.readouterr().out
    assert metric in logged
    assert "@" not in logged


@pytest.mark.parametrize(
    "event", [_bounce(kind="Transient"), _bounce(kind="Undetermined"), _complaint("not-spam"), _event("Email Sent", {})]
)
def test_other_feedback_marks_nothing(world: World, ada: UserID, event: dict[str, Any]) -> None:
    assert _deliver(world, event)
    assert not _is_suppressed(ada)


def test_an_address_in_punycode_is_found(world: World) -> None:
    """In which SES gets it."""
    user_id = _add("ada@bücher.example")
    assert _deliver(world, _bounce("ada@xn--bcher-kva.example"))
    assert _is_suppressed(user_id)


def test_an_address_that_no_user_has_is_ignored(world: World) -> None:
    assert _deliver(world, _bounce("nobody@example.com"))
    assert world.items("auth") == []


def test_a_later_address_is_not_suppressed(world: World, ada: UserID) -> None:
    _deliver(world, _bounce())
    item = next(item for item in world.items("auth") if item["pk"] == f"user#{ada}")
    world.tables.resource.Table("auth").put_item(Item=item | {"email": "new@example.com"})
    assert not _is_suppressed(ada)


def test_a_failure_returns_to_the_queue(
    world: World, ada: UserID, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise Contention("busy")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "write", refuse)
        assert not _deliver(world, _bounce())
    assert "EventsNotHandled" in capsys.readouterr().out
    assert not _is_suppressed(ada)


def test_the_user_is_shown_that_the_address_is_suppressed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    SigningKey(monkeypatch)
    signed_up = world.call("POST", "/api/users/signup", {"email": "ada@example.com", "password": "correct horse"})
    header = {"Authorization": f"Bearer {signed_up.json['token']}"}
    for expected in (False, True):
        answer = world.call("GET", "/api/users/currentuser", headers=header)
        assert answer.json["currentUser"]["emailSuppressed"] is expected
        _deliver(world, _bounce())
