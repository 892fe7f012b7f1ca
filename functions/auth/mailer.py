"""`Mailer` sends mails to users by Amazon SES (API v2).

A stage without a sender sends nothing: `has_sender` is False, so that callers can say so to the user.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, settings
from shared.telemetry import logger

if TYPE_CHECKING:
    from functions.auth.mails.kinds import Mail

NAME = "Admit One"
"""The display name of the sender. SES takes ASCII only here."""


class MailNotSent(Exception):
    """SES did not accept the mail, or its answer was lost. In the latter case it may have been sent."""


class Unreachable(MailNotSent):
    """SES sends to no address with characters outside ASCII before the `@`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of a function that sends mails; the first two are empty on a stage without a sender."""

    public_origin: str
    mail_from: str = ""
    mail_configuration_set: str = ""


class Mailer:
    """Sends from the stage's address, with links to the stage's own origin."""

    def __init__(self, env: Settings) -> None:
        self._env = env

    @classmethod
    def of_stage(cls) -> "Mailer":
        """Return the mailer with the settings of this function."""
        return cls(settings.load(Settings))

    @property
    def has_sender(self) -> bool:
        """False if this stage sends no mails."""
        return bool(self._env.mail_from)

    def send(self, mail: "Mail", *, to: str) -> None:
        """Send a mail to an address in the form that `parse_email` returns. Raises MailNotSent.

        Does nothing on a stage without a sender. If SES's answer is lost, the call is repeated once, so the mail may
        arrive twice.
        """
        from functions.auth.mails.render import render  # when a mail is sent, not at each cold start

        kind = type(mail).__name__
        if not self.has_sender:
            logger.info("no mail is sent: the stage has no sender", mail=kind)
            return
        message = render(mail, origin=self._env.public_origin)
        try:
            answer = aws.ses().send_email(
                FromEmailAddress=f"{NAME} <{self._env.mail_from}>",
                Destination={"ToAddresses": [_ascii(to)]},
                Content={
                    "Simple": {
                        "Subject": {"Data": message.subject, "Charset": "UTF-8"},
                        "Body": {
                            "Text": {"Data": message.text, "Charset": "UTF-8"},
                            "Html": {"Data": message.html, "Charset": "UTF-8"},
                        },
                    }
                },
                EmailTags=[{"Name": "mail", "Value": kind}],
                ConfigurationSetName=self._env.mail_configuration_set,
            )
        except (BotoCoreError, ClientError) as error:
            raise MailNotSent(f"{kind} was not sent: {error}") from error
        logger.info("mail sent", mail=kind, message_id=answer["MessageId"])


def _ascii(address: str) -> str:
    """Return the address with its domain in Punycode, as SES requires. Raises Unreachable."""
    from email_validator import validate_email

    found = validate_email(address, check_deliverability=False).ascii_email
    if found is None:
        raise Unreachable("SES sends to ASCII addresses only")
    return found
