"""The call to SES, in the form that botocore accepts and its answer has."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.validate import ParamValidator

from functions.auth.mailer import Mailer, MailNotSent, Unreachable
from functions.auth.mails.kinds import PasswordChanged
from functions.auth.mails.render import render
from shared import aws, settings
from shared.telemetry import logger
from tests.support.ses import Ses

ORIGIN = "https://tickets.example.com"
MAIL = PasswordChanged(at=datetime(2026, 11, 28, tzinfo=UTC))


@pytest.fixture
def mailer() -> Mailer:
    settings.load.cache_clear()
    return Mailer.of_stage()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


def test_a_mail_is_one_call(ses: Ses, mailer: Mailer) -> None:
    mailer.send(MAIL, to="ada@example.com")
    message = render(MAIL, origin=ORIGIN)
    (request,) = ses.requests
    assert request == {
        "FromEmailAddress": "Admit One <mail@tickets.example.com>",
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": message.subject, "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": message.text, "Charset": "UTF-8"},
                    "Html": {"Data": message.html, "Charset": "UTF-8"},
                },
            }
        },
        "EmailTags": [{"Name": "mail", "Value": "PasswordChanged"}],
        "ConfigurationSetName": "mails",
    }
    shape = ses.models[0].input_shape
    assert shape
    assert not ParamValidator().validate(request, shape).has_errors()


def test_a_domain_is_sent_in_punycode(ses: Ses, mailer: Mailer) -> None:
    mailer.send(MAIL, to="ada@bücher.example")
    assert ses.requests[0]["Destination"] == {"ToAddresses": ["ada@xn--bcher-kva.example"]}


def test_an_address_that_ses_cannot_reach_is_not_tried(ses: Ses, mailer: Mailer) -> None:
    with pytest.raises(Unreachable):
        mailer.send(MAIL, to="josé@example.com")
    assert ses.calls == []


def test_a_stage_without_a_sender_sends_nothing_and_says_so(
    ses: Ses, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAIL_FROM")
    monkeypatch.delenv("MAIL_CONFIGURATION_SET")
    settings.load.cache_clear()
    mailer = Mailer.of_stage()
    assert not mailer.has_sender
    mailer.send(MAIL, to="ada@example.com")
    assert ses.calls == []
    assert "no mail is sent" in log.getvalue()


def test_a_stage_with_a_sender_has_one(mailer: Mailer) -> None:
    assert mailer.has_sender


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "MessageRejected", "Message": "not verified: ada@example.com"}}, "SendEmail"),
        ReadTimeoutError(endpoint_url="https://email.example.com"),
        ConnectTimeoutError(endpoint_url="https://email.example.com"),
    ],
)
def test_a_failure_of_ses_is_one_error(ses: Ses, mailer: Mailer, error: Exception) -> None:
    ses.error = error
    with pytest.raises(MailNotSent, match="PasswordChanged was not sent"):
        mailer.send(MAIL, to="ada@example.com")


def test_a_log_line_names_no_address(ses: Ses, mailer: Mailer, log: io.StringIO) -> None:
    mailer.send(MAIL, to="ada@example.com")
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["mail"] == "PasswordChanged"
    assert json.loads(line)["message_id"] == "m1"
    assert "@" not in line


def test_a_mail_is_tried_twice_within_the_timeout_of_the_api() -> None:
    config: Any = aws.ses().meta.config
    attempts, seconds = config.retries["total_max_attempts"], config.connect_timeout + config.read_timeout
    assert attempts == 2
    assert attempts * seconds < 10
