"""The sender of a stage's mails, at Amazon SES."""

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_ses as ses
from constructs import Construct

from cdk.function import ServiceFunction


class MailSender(Construct):
    """The domain of `sender` as an identity that SES signs for (DKIM), and the configuration set of the stage's mails.

    SES sends to no address that has bounced or complained, and publishes both on the account's default event bus. It
    tracks neither opens nor clicks.
    """

    def __init__(self, scope: Construct, construct_id: str, *, sender: str) -> None:
        super().__init__(scope, construct_id)
        self._sender = sender
        self._identity = ses.EmailIdentity(
            self,
            "Identity",
            identity=ses.Identity.domain(sender.rpartition("@")[2]),
            dkim_signing=True,
            feedback_forwarding=False,  # nobody reads the sender's mailbox; the events take its place
        )
        self._configuration_set = ses.ConfigurationSet(
            self,
            "ConfigurationSet",
            reputation_metrics=True,
            sending_enabled=True,
            suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
            tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,  # mails have links that replace a password
        )
        self._configuration_set.add_event_destination(
            "Feedback",
            # SES supports no other bus. Its events cost nothing there.
            destination=ses.EventDestination.event_bus(
                events.EventBus.from_event_bus_name(self, "DefaultBus", "default")
            ),
            events=[ses.EmailSendingEvent.BOUNCE, ses.EmailSendingEvent.COMPLAINT],
        )

    def allow(self, function: ServiceFunction) -> None:
        """Let a function send mails from the stage's address, and no other address of the domain.

        SES checks the permission for the identity and, separately, for the configuration set.
        """
        name = self._configuration_set.configuration_set_name
        configuration_set = Stack.of(self).format_arn(service="ses", resource="configuration-set", resource_name=name)
        for arn in (self._identity.email_identity_arn, configuration_set):
            function.grant("ses:SendEmail", on=arn, conditions={"StringEquals": {"ses:FromAddress": self._sender}})
        function.function.add_environment("MAIL_FROM", self._sender)
        function.function.add_environment("MAIL_CONFIGURATION_SET", name)
