"""Mails of Auth's routes: queued by a route, sent once by the mail sender."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.auth.mail_queue import MailNotQueued, MailQueue
from functions.auth.mail_store import MailStore
from functions.auth.mails.kinds import Mail, NewDevice, PasswordChanged, ResetPassword, VerifyAddress
from functions.auth.mails.request import MailRequest, UnknownMail
from shared import aws, clock, settings
from shared.ids import UserID, new_id
from shared.table import Contention
from shared.telemetry import logger
from tests.support.lambda_events import Person, new_event, sqs_batch
from tests.support.ses import Ses
from tests.support.world import World

SENDER = "auth.mail_sender"
NOTICE = PasswordChanged(at=datetime(2026, 11, 28, tzinfo=UTC))
RESET = ResetPassword(token="t" * 43, life=timedelta(minutes=30))
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "rate"}}, "SendEmail")


def _put(to: Person | UserID, mail: Mail = NOTICE, *, address: str | None = None, at_most_hourly: bool = False) -> None:
    user_id = to.id if isinstance(to, Person) else to
    MailQueue.of_stage().put(mail, user_id=user_id, address=address, at_most_hourly=at_most_hourly)


@pytest.fixture
def ada(world: World) -> Person:
    return _user(world, "ada@example.com")


def _user(world: World, email: str, **attributes: str | bool) -> Person:
    user = world.person(email)
    item: dict[str, Any] = {"pk": f"user#{user.id}", "id": user.id, "email": email}
    item |= {"createdAt": clock.to_millis(clock.now())} | attributes
    world.tables.resource.Table("auth").put_item(Item=item)
    return user


def test_a_queued_mail_is_sent_to_the_users_address(world: World, ses: Ses, ada: Person) -> None:
    _put(ada)
    assert ses.calls == []
    assert world.perform_tasks() == []
    assert ses.mails == [("ada@example.com", "Your password was changed")]


def test_a_mail_can_go_to_another_address(world: World, ses: Ses, ada: Person) -> None:
    """A new address before it is confirmed, or the old one."""
    _put(ada, address="old@example.com")
    world.perform_tasks()
    assert ses.mails == [("old@example.com", "Your password was changed")]


def test_a_message_that_arrives_twice_is_one_mail(world: World, ses: Ses, ada: Person) -> None:
    _put(ada)
    (message,) = world.queues.take(SENDER)
    for _ in range(2):
        assert world.invoke(SENDER, sqs_batch(message)) == {"batchItemFailures": []}
    assert len(ses.calls) == 1


def test_two_mails_of_a_kind_are_two(world: World, ses: Ses, ada: Person) -> None:
    _put(ada)
    _put(ada)
    world.perform_tasks()
    assert len(ses.calls) == 2


def test_a_reminder_is_sent_once_an_hour(world: World, ses: Ses, ada: Person) -> None:
    for minutes in (0, 1, 58, 2):
        world.time.advance(minutes=minutes)
        _put(ada, RESET, at_most_hourly=True)
        assert world.perform_tasks() == []
    assert len(ses.calls) == 2


def test_a_reminder_is_limited_for_each_user_and_kind(world: World, ses: Ses, ada: Person) -> None:
    bob = _user(world, "bob@example.com")
    for user in (ada, bob):
        _put(user, RESET, at_most_hourly=True)
        _put(user, NewDevice(client="Firefox", at=clock.now()), at_most_hourly=True)
    world.perform_tasks()
    assert len(ses.calls) == 4


def test_an_unknown_user_gets_no_mail(world: World, ses: Ses) -> None:
    """So that a route can make the same call for an unknown address."""
    _put(UserID(new_id()), RESET)
    assert world.perform_tasks() == []
    assert ses.calls == []


@pytest.mark.parametrize(("mail", "sent"), [(NOTICE, 0), (RESET, 1)])
def test_an_address_that_has_bounced_gets_links_only(world: World, ses: Ses, mail: Mail, sent: int) -> None:
    """A link that the user asks for: SES itself may still refuse it."""
    ada = _user(world, "ada@example.com", suppressedEmail="ada@example.com")
    _put(ada, mail)
    assert world.perform_tasks() == []
    assert len(ses.calls) == sent


@pytest.mark.parametrize(("mail", "verified", "sent"), [(NOTICE, False, 0), (NOTICE, True, 1), (RESET, False, 1)])
def test_where_verification_is_required_an_unverified_address_gets_links_only(
    world: World, ses: Ses, monkeypatch: pytest.MonkeyPatch, mail: Mail, *, verified: bool, sent: int
) -> None:
    monkeypatch.setenv("EMAIL_VERIFICATION", "required")
    settings.load.cache_clear()
    _put(_user(world, "ada@example.com", emailVerified=verified), mail)
    assert world.perform_tasks() == []
    assert len(ses.calls) == sent


def test_a_later_address_of_a_user_who_has_bounced_gets_mails(world: World, ses: Ses) -> None:
    _put(_user(world, "new@example.com", suppressedEmail="ada@example.com"))
    world.perform_tasks()
    assert len(ses.calls) == 1


def test_an_expired_link_is_not_sent(world: World, ses: Ses, ada: Person) -> None:
    _put(ada, RESET)
    world.time.advance(minutes=30, seconds=1)
    assert world.perform_tasks() == []
    assert ses.calls == []


def test_a_mail_that_ses_refuses_is_tried_again(
    world: World, ses: Ses, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once the claim of the first attempt has ended, as it has when the queue delivers the message again."""
    _put(ada)
    (message,) = world.queues.take(SENDER)
    ses.error = THROTTLED
    assert world.invoke(SENDER, sqs_batch(message))["batchItemFailures"]
    assert "MailsNotSent" in capsys.readouterr().out
    ses.error = None
    world.time.advance(seconds=90)
    assert world.invoke(SENDER, sqs_batch(message)) == {"batchItemFailures": []}
    assert len(ses.mails) == 2  # the refused one, and one


def test_a_mail_that_another_process_sends_is_not_sent(world: World, ses: Ses, ada: Person) -> None:
    _put(ada)
    (message,) = world.queues.take(SENDER)
    ses.error = THROTTLED
    world.invoke(SENDER, sqs_batch(message))
    ses.error = None
    ses.calls.clear()
    world.time.advance(seconds=29)
    assert world.invoke(SENDER, sqs_batch(message))["batchItemFailures"]
    assert ses.calls == []


def test_an_address_that_ses_cannot_reach_is_given_up(
    world: World, ses: Ses, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    _put(ada, address="josé@example.com")
    assert world.perform_tasks() == []
    assert ses.calls == []
    assert "MailsUndeliverable" in capsys.readouterr().out


def test_a_sent_mail_that_is_not_recorded_is_not_sent_again_by_its_message(
    world: World, ses: Ses, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Contention("busy")

    monkeypatch.setattr(MailStore, "record_sent", refuse)
    _put(ada)
    assert world.perform_tasks() == []
    assert len(ses.calls) == 1


def test_a_claim_whose_answer_was_lost_is_ours(
    world: World, ses: Ses, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK repeats the call, and its condition no longer holds."""
    client: Any = aws.dynamodb()
    put_item = client.put_item

    def put_twice(**request: Any) -> Any:
        put_item(**request)
        return put_item(**request)

    monkeypatch.setattr(client, "put_item", put_twice)
    _put(ada)
    assert world.perform_tasks() == []
    assert len(ses.calls) == 1


def test_each_mail_takes_its_share_of_sess_rate(
    world: World, ses: Ses, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_MILLIS", "286")
    settings.load.cache_clear()
    began = clock.now()
    _put(ada)
    world.perform_tasks()
    assert clock.now() - began == timedelta(milliseconds=286)


def test_a_message_that_cannot_be_read_fails_without_its_content(
    world: World, ada: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    _put(ada, RESET)
    (message,) = world.queues.take(SENDER)
    assert world.invoke(SENDER, sqs_batch(dict(message) | {"kind": "Newsletter"}))["batchItemFailures"]
    logged = capfd.readouterr().out
    assert "EventsNotHandled" in logged
    assert RESET.token not in logged


def test_a_queue_that_refuses_is_one_error(world: World, ada: Person) -> None:
    with pytest.raises(MailNotQueued, match="PasswordChanged was not queued"):
        MailQueue("https://sqs.us-east-1.amazonaws.com/123456789012/no-such-queue").put(NOTICE, user_id=ada.id)


def test_a_stage_without_a_sender_queues_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAIL_QUEUE_URL", raising=False)
    settings.load.cache_clear()
    queue = MailQueue.of_stage()
    assert not queue.has_sender
    queue.put(NOTICE, user_id=UserID(new_id()))


def test_records_of_mails_name_no_address_and_expire(world: World, ses: Ses, ada: Person) -> None:
    _put(ada, address="old@example.com")
    world.perform_tasks()
    (record,) = (item for item in world.items("auth") if item["pk"].startswith("mail#"))
    assert "@" not in json.dumps(record, default=str)
    assert record["ttl"] == int((clock.now() + timedelta(days=60)).timestamp())


def test_an_unknown_kind_of_mail_is_refused(world: World, ada: Person) -> None:
    with pytest.raises(UnknownMail):
        MailRequest.from_message({"kind": "Mail'"})


def test_the_sender_is_loaded_by_itself_only() -> None:
    """Rendering and SES cost Auth's API no time at a cold start."""
    program = (
        "import sys, functions.auth.api, functions.auth.mail_queue\n"
        "unwanted = {'functions.auth.mailer', 'functions.auth.mail_delivery', 'functions.auth.mails.render',"
        " 'functions.auth.mails.texts'}\n"
        "assert not unwanted & sys.modules.keys(), unwanted & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603


def test_mail_delivery_says_why_nothing_is_sent(
    world: World, ses: Ses, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(logger, "info", lambda _text, **keys: reasons.append(str(keys.get("reason"))))
    _put(UserID(new_id()), VerifyAddress(token="t", life=timedelta(hours=24)))
    _put(ada)
    (unknown, known) = world.queues.take(SENDER)
    for message in (unknown, known, known):
        world.invoke(SENDER, sqs_batch(message))
    assert [reason for reason in reasons if reason != "None"] == ["unknown user", "sent already"]


# Events of other services


def _completed(buyer: Person, *, order_id: str | None = None, **data: object) -> dict[str, Any]:
    ticket = {"id": new_id(), "title": "Row 1", "price": "12.50", "currency": "usd", "hold": 3}
    order = {"id": order_id or new_id(), "version": 3, "status": "completed", "userID": buyer.id, "ticket": ticket}
    return new_event("order:completed", order | {"expiresAt": "2026-11-23T12:05:00Z"} | data)


def _sold(seller: Person, order_id: str) -> dict[str, Any]:
    ticket = {"id": new_id(), "version": 4, "title": "Row 1", "price": "12.50", "currency": "usd"}
    outcome = {"userID": seller.id, "status": "sold", "change": "sold", "orderID": order_id}
    return new_event("ticket:updated", ticket | outcome)


def test_one_mail_a_sale_to_each_side(world: World, ses: Ses, ada: Person) -> None:
    bob, order_id = _user(world, "bob@example.com"), new_id()
    for event in (_completed(ada, order_id=order_id), _sold(bob, order_id)):
        assert world.invoke(SENDER, sqs_batch(event)) == {"batchItemFailures": []}
    assert ses.mails == [("ada@example.com", "Your ticket: Row 1"), ("bob@example.com", "Sold: Row 1")]


def test_a_seller_is_told_of_each_payout_once(world: World, ses: Ses, ada: Person) -> None:
    """Also if it is published again, as for a new consumer."""
    earned = {"id": new_id(), "userID": ada.id, "ticket": {"id": new_id(), "title": "Row 1"}, "currency": "usd"}
    sent = earned | {"version": 1, "amount": "11.88", "at": "2026-11-23T12:00:00Z"}
    for event_type in ("payout:created", "payout:created", "payout:reversed", "payout:reversed"):
        assert world.invoke(SENDER, sqs_batch(new_event(event_type, sent))) == {"batchItemFailures": []}
    assert [subject for _, subject in ses.mails] == ["You are paid: Row 1", "Earnings taken back: Row 1"]


def test_an_order_that_is_published_again_is_mailed_once(world: World, ses: Ses, ada: Person) -> None:
    """Also under a new event id and version, as after a second event of its payment."""
    order_id = new_id()
    for event in (_completed(ada, order_id=order_id), _completed(ada, order_id=order_id, version=4)):
        assert world.invoke(SENDER, sqs_batch(event)) == {"batchItemFailures": []}
    assert len(ses.calls) == 1


def test_each_refund_is_mailed_once(world: World, ses: Ses, ada: Person) -> None:
    order_id = new_id()
    for amount in ("2.50", "2.50", "5.00"):
        refund = {"amount": amount, "reason": "refunded_at_stripe", "at": "2026-11-23T12:10:00Z"}
        world.invoke(SENDER, sqs_batch(_completed(ada, order_id=order_id, refund=refund)))
    assert len(ses.calls) == 2


def test_an_event_returns_to_its_queue_while_ses_is_down(
    world: World, ses: Ses, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no event that a listener cannot handle, so it rolls back no deployment."""
    event = _completed(ada)
    ses.error = THROTTLED
    assert world.invoke(SENDER, sqs_batch(event))["batchItemFailures"]
    logged = capsys.readouterr().out
    assert "MailsNotSent" in logged
    assert "EventsNotHandled" not in logged
    ses.error = None
    world.time.advance(seconds=90)
    assert world.invoke(SENDER, sqs_batch(event)) == {"batchItemFailures": []}


def test_orders_of_years_are_not_mailed_when_they_are_republished(world: World, ses: Ses, ada: Person) -> None:
    event = _completed(ada)
    world.time.advance(days=31)
    assert world.invoke(SENDER, sqs_batch(event)) == {"batchItemFailures": []}
    assert ses.calls == []


def test_a_user_who_is_gone_gets_no_receipt(world: World, ses: Ses) -> None:
    assert world.invoke(SENDER, sqs_batch(_completed(world.person()))) == {"batchItemFailures": []}
    assert ses.calls == []
