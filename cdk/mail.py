"""The mails of a stage: its sender at Amazon SES, and the function that sends them."""

import math

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_ses as ses
from constructs import Construct

from cdk.function import ServiceFunction
from cdk.listener import EventListener, EventSubscription
from cdk.monitoring import Monitoring
from cdk.stages import Stage
from cdk.table import ServiceTable
from cdk.work_queue import WorkQueue

OUTLASTS_SES = Duration.hours(24)
"""How long mails survive an outage of SES without an operator."""


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
        self._bus = events.EventBus.from_event_bus_name(self, "DefaultBus", "default")
        self._configuration_set.add_event_destination(
            "Feedback",
            # SES supports no other bus. Its events cost nothing there.
            destination=ses.EventDestination.event_bus(self._bus),
            events=[ses.EmailSendingEvent.BOUNCE, ses.EmailSendingEvent.COMPLAINT],
        )

    def send_feedback(self, queue: WorkQueue) -> None:
        """Send bounces and complaints about the stage's mails to a queue."""
        name = self._configuration_set.configuration_set_name
        events.Rule(
            self,
            "FeedbackRule",
            event_bus=self._bus,
            event_pattern=events.EventPattern(
                source=["aws.ses"],
                detail_type=["Email Bounced", "Email Complaint Received"],
                # The account's other configuration sets publish on the same bus.
                detail={"mail": {"tags": {"ses:configuration-set": [name]}}},
            ),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=queue.dead_letters)],
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


class Mails(Construct):
    """The queue of the mails of Auth's routes, that of the events to report, and the function that sends both.

    Another function marks the addresses that have bounced or complained.

    Its senders together stay within `mails_per_second`: few run at once, and each spends a minimum of time on a mail.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        service: str,
        sender: MailSender,
        users: ServiceTable,
        bus: events.IEventBus,
        monitoring: Monitoring,
    ) -> None:
        super().__init__(scope, construct_id)
        concurrency = max(2, math.ceil(stage.mails_per_second / 10))  # of each of the two queues
        self.sender = ServiceFunction(
            self,
            "Sender",
            stage=stage,
            service=service,
            handler=f"functions.{service}.mail_sender.handler",
            timeout=Duration.seconds(15),
            monitoring=monitoring,
            is_worker=True,
            environment={
                "TABLE_NAME": users.table.table_name,
                "EMAIL_VERIFICATION": stage.email_verification,
                "MAIL_MILLIS": str(math.ceil(1000 * 2 * concurrency / stage.mails_per_second)),
            },
            memory_mb=512,  # it mostly waits, for SES
        )
        users.allow(self.sender, "GetItem", "PutItem")
        sender.allow(self.sender)
        self._requests = WorkQueue(
            self,
            "Requests",
            function=self.sender,
            monitoring=monitoring,
            concurrency=concurrency,
            batch_size=1,  # a mail that fails is retried alone
            retry_for=OUTLASTS_SES,
        )
        self._add_events(stage, bus, monitoring, concurrency)
        self._add_feedback(stage, service, sender, users, monitoring)

    def _add_events(self, stage: Stage, bus: events.IEventBus, monitoring: Monitoring, concurrency: int) -> None:
        EventListener(
            self,
            "Events",
            stage=stage,
            function=self.sender,
            bus=bus,
            monitoring=monitoring,
            subscriptions=[
                EventSubscription(
                    name="Orders", source="admit-one.orders", types=["order:completed", "order:refunded"]
                ),
                EventSubscription(
                    name="UnpaidOrders",
                    source="admit-one.orders",
                    types=["order:cancelled"],
                    data={"reason": ["payment_failed"]},
                ),
                # The event of the order does not name the seller.
                EventSubscription(
                    name="SoldTickets",
                    source="admit-one.tickets",
                    types=["ticket:updated"],
                    data={"change": ["sold", "refund-requested", "refunded"]},
                ),
                EventSubscription(
                    name="Payouts", source="admit-one.payments", types=["payout:created", "payout:reversed"]
                ),
            ],
            concurrency=concurrency,
            batch_size=1,
            retry_for=OUTLASTS_SES,
        )

    def _add_feedback(
        self, stage: Stage, service: str, sender: MailSender, users: ServiceTable, monitoring: Monitoring
    ) -> None:
        feedback = ServiceFunction(
            self,
            "Feedback",
            stage=stage,
            service=service,
            handler=f"functions.{service}.feedback.handler",
            timeout=Duration.seconds(10),
            monitoring=monitoring,
            is_worker=True,
            environment={"TABLE_NAME": users.table.table_name},
            memory_mb=512,
        )
        users.allow(feedback, "GetItem", "PutItem")
        sender.send_feedback(WorkQueue(self, "Bounces", function=feedback, monitoring=monitoring, concurrency=2))

    def allow(self, function: ServiceFunction) -> None:
        """Let a function queue mails."""
        function.grant("sqs:SendMessage", on=self._requests.queue.queue_arn)
        function.function.add_environment("MAIL_QUEUE_URL", self._requests.queue.queue_url)
