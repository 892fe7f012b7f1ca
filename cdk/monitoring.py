"""`Monitoring`: the alarms, their SNS topic, and the dashboard.

The constructs of functions, queues, tables and relays register each resource with a `watch_…` method, so every resource
has its alarms. docs/operations.md describes what each alarm means and how to respond.
"""

import re
from collections.abc import Iterator, Sequence

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from cdk.stages import Stage

NAMESPACE = "AdmitOne"
"""The metric namespace of the functions; see shared/telemetry.py."""

MINUTE = Duration.minutes(1)
MAX_METRICS_IN_AN_ALARM = 10
MAIL_METRICS = ("MailsSent", "MailsNotSent", "MailsUndeliverable", "MailsBounced", "MailsComplainedAbout")
ORDER_METRICS = ("OrdersPlaced", "OrdersRefused", "OrdersLapsed", "OrdersCompleted", "RefundsDecided")


class Monitoring(Construct):
    """Alarms, topic and dashboard of one stage. `rollback_alarms` roll back a deployment.

    A rollback alarm must detect what a deployment can break, and must clear once the deployment is rolled back.
    Dead-letter queues are excluded: they stay in alarm until an operator redrives their messages, so they would also
    roll back the deployment that contains the fix.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        self.rollback_alarms: list[cloudwatch.Alarm] = []
        self._alarms: list[cloudwatch.Alarm] = []
        self._functions: list[lambda_.IFunction] = []
        self._asynchronous: list[lambda_.IFunction] = []
        self._workers: list[lambda_.IFunction] = []
        self._dead_letters: list[sqs.IQueue] = []
        self._queues: list[sqs.IQueue] = []
        self._tables: list[dynamodb.ITable] = []
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True)
        # A custom policy replaces the default, which allows every alarm of the account to publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if stage.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(stage.alarm_email))

    def watch_function(self, function: lambda_.IFunction, *, synchronous: bool, is_worker: bool) -> None:
        """Alarm when Lambda throttles calls.

        `synchronous`: a caller receives the function's errors. The errors of all other functions have an alarm, those
        of workers one of their own.
        """
        self._functions.append(function)
        if is_worker:
            self._workers.append(function)
        elif not synchronous:
            self._asynchronous.append(function)
        self._alarm(
            f"{_name(function)}-throttled",
            "Lambda throttled calls: the concurrency of the function or the account is used up.",
            function.metric_throttles(period=MINUTE, statistic="Sum"),
            threshold=1,
            for_minutes=(3, 5),
        )

    def watch_dead_letters(self, queue: sqs.IQueue) -> None:
        """Alarm at the first message in a dead-letter queue."""
        self._dead_letters.append(queue)
        self._alarm(
            _name(queue),
            "A message could not be processed and is in the dead-letter queue.",
            queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum"),
            threshold=1,
        )

    def watch_queue(self, queue: sqs.IQueue) -> None:
        """Alarm when the oldest message has waited for ten minutes."""
        self._queues.append(queue)
        self._alarm(
            f"{_name(queue)}-waits",
            "The oldest message has waited for ten minutes: its consumer has stopped or is too slow.",
            queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum"),
            threshold=Duration.minutes(10).to_seconds(),
            for_minutes=(3, 5),
        )

    def watch_stream(self, relay: lambda_.IFunction) -> None:
        """Alarm when a relay falls behind its table's stream, which keeps records for 24 hours."""
        self._alarm(
            f"{_name(relay)}-behind",
            "The relay is five minutes behind the stream. Records older than 23 hours go to its undelivered queue.",
            relay.metric("IteratorAge", period=MINUTE, statistic="Maximum"),
            threshold=Duration.minutes(5).to_milliseconds(),
            for_minutes=(3, 5),
        )

    def watch_table(self, table: dynamodb.ITable) -> None:
        """Alarm when DynamoDB throttles requests for longer than an on-demand table needs to scale."""
        self._tables.append(table)
        self._alarm(
            f"{_name(table)}-table-throttled",
            "DynamoDB throttles requests: the table or one of its partitions is over capacity.",
            _sum(
                [
                    table.metric(name, period=MINUTE, statistic="Sum")
                    for name in ("ReadThrottleEvents", "WriteThrottleEvents")
                ],
                label="throttled",
            ),
            threshold=1,
            for_minutes=(5, 5),
        )

    def watch_index(self, table: dynamodb.ITable, index: str) -> None:
        """Alarm when DynamoDB throttles an index, whose events the table's metrics leave out.

        An index that cannot take a write throttles the table's write, too.
        """
        dimensions = {"TableName": table.table_name, "GlobalSecondaryIndexName": index}
        self._alarm(
            f"{_name(table)}-{index}-index-throttled",
            "DynamoDB throttles an index: one of its partitions is over capacity. Writes to its table fail with it.",
            _sum(
                [
                    table.metric(name, dimensions_map=dimensions, period=MINUTE, statistic="Sum")
                    for name in ("ReadThrottleEvents", "WriteThrottleEvents")
                ],
                label="throttled",
            ),
            threshold=1,
            for_minutes=(5, 5),
        )

    def complete(self, api: apigateway.IHttpApi) -> None:
        """Add the alarms on the API and on the metrics emitted by code, and the dashboard. Must be called last."""
        self._watch_api(api)
        self._watch_asynchronous()
        self._watch_business()
        self._watch_payouts()
        if self._stage.mail_from:
            self._watch_mails()
        self._draw(api)

    def _watch_api(self, api: apigateway.IHttpApi) -> None:
        failed = cloudwatch.MathExpression(
            expression="IF(failed >= 5, 100 * failed / requests, 0)",
            using_metrics={
                "failed": api.metric_server_error(period=MINUTE, statistic="Sum"),
                "requests": api.metric_count(period=MINUTE, statistic="Sum"),
            },
            period=MINUTE,
            label="% of requests",
        )
        self._alarm(
            "api-5xx",
            "More than 1% of requests, and at least five in a minute, got a 5xx response.",
            failed,
            threshold=1,
            for_minutes=(2, 3),
            rolls_back=True,
        )
        self._alarm(
            "api-slow",
            "The p99 latency is over five seconds.",
            api.metric_latency(period=MINUTE, statistic="p99"),
            threshold=Duration.seconds(5).to_milliseconds(),
            for_minutes=(4, 5),
            rolls_back=True,
        )

    def _watch_asynchronous(self) -> None:
        functions = self._asynchronous
        if len(functions) > MAX_METRICS_IN_AN_ALARM:
            raise ValueError("an alarm supports ten metrics at most: split functions-crash in two")
        self._alarm(
            "functions-crash",
            "Asynchronous functions (listeners, relays, scheduled functions) fail.",
            _crashes(functions),
            threshold=3,
            for_minutes=(2, 3),
            rolls_back=True,
        )
        self._alarm(
            "events-not-published",
            "Relays cannot publish events: they are retried, or set aside if the bus rejects them as invalid.",
            self._counted("EventsNotPublished", statistic="Sum", period=MINUTE),
            threshold=3,
            for_minutes=(2, 3),
            rolls_back=True,
        )
        self._alarm(
            "workers-crash",
            "Workers (settler, expirer, mail sender, feedback, eraser, payout finder and worker) fail.",
            _crashes(self._workers),
            threshold=3,
            for_minutes=(2, 3),
        )
        self._alarm(
            "repairs-failing",
            "Payments were not settled, orders not expired, accounts not erased or payouts not made, in three runs.",
            self._counted("RepairsFailed", statistic="Sum", period=Duration.minutes(5)),
            threshold=1,
            periods=3,
        )
        self._alarm(
            "events-not-handled",
            "Listeners fail to process events. They are retried, and finally go to a dead-letter queue.",
            self._counted("EventsNotHandled", statistic="Sum", period=MINUTE),
            threshold=3,
            for_minutes=(2, 3),
            rolls_back=True,
        )
        self._alarm(
            "events-keep-failing",
            "A listener has failed to process an event for 20 minutes. Payments' listener retries for a day.",
            self._counted("EventsNotHandled", statistic="Sum", period=Duration.minutes(5)),
            threshold=1,
            periods=4,
        )

    def _watch_business(self) -> None:
        quarter = Duration.minutes(15)
        self._alarm(
            "payments-repaired",
            "The reconciler settled payments whose event or webhook was lost.",
            self._counted("PaymentsRepaired", statistic="Sum", period=quarter),
            threshold=1,
        )
        self._alarm(
            "orders-swept",
            "The sweep expired orders whose timers did not fire.",
            self._counted("OrdersSwept", statistic="Sum", period=quarter),
            threshold=1,
        )
        self._alarm(
            "refunds-overdue",
            "An order has been refunding for a day or longer.",
            self._counted("RefundsOverdue", statistic="Sum", period=quarter),
            threshold=1,
        )
        self._alarm(
            "refund-requests-unanswered",
            "A buyer's request for a refund has waited for three days.",
            self._counted("RefundRequestsUnanswered", statistic="Sum", period=quarter),
            threshold=1,
        )
        self._alarm(
            "refunds-failed",
            "A refund has failed or was refused by Stripe, and an operator has to return the money.",
            self._counted("RefundsFailed", statistic="Sum", period=quarter),
            threshold=1,
        )
        self._alarm(
            "refunds-pending",
            "Refunds have been pending for a day: Stripe's balance may be too low.",
            self._counted("RefundsPending", statistic="Sum", period=Duration.hours(1)),
            threshold=1,
            periods=24,
        )
        self._alarm(
            "ledger-differs",
            "`make ledger` has found orders whose money at Stripe is not what the table of Payments says.",
            self._counted("LedgerDiffers", statistic="Maximum", period=Duration.hours(1)),
            threshold=1,
        )
        self._alarm(
            "authorizations-near-their-end",
            "The payment of a five-day-old order has not ended; banks release an authorisation after about seven.",
            self._counted("OldestAuthorization", statistic="Maximum", period=quarter),
            threshold=Duration.days(5).to_seconds(),
        )
        self._alarm(
            "reconciler-silent",
            "The reconciler, which runs every five minutes, has emitted no metric for half an hour.",
            self._counted("OldestAuthorization", statistic="SampleCount", period=quarter),
            threshold=1,
            below=True,
            periods=2,
        )

    def _watch_payouts(self) -> None:
        hour = Duration.hours(1)
        self._alarm(
            "payouts-overdue",
            "Earnings have been due for a day, and neither their seller nor a dispute keeps them back.",
            self._counted("PayoutsOverdue", statistic="Sum", period=hour),
            threshold=1,
        )
        self._alarm(
            "reversals-pending",
            "Stripe refuses to take money back from a seller, who may lack it. Nothing is sent to the seller.",
            self._counted("ReversalsPending", statistic="Sum", period=hour),
            threshold=1,
        )
        self._alarm(
            "payout-finder-silent",
            "The payout finder, which runs every five minutes, has emitted no metric for half an hour.",
            self._counted("PayoutLooks", statistic="SampleCount", period=Duration.minutes(15)),
            threshold=1,
            below=True,
            periods=2,
        )

    def _watch_mails(self) -> None:
        self._alarm(
            "mails-not-sent",
            "SES has refused mails, or did not answer, for 20 minutes. They are tried again for a day.",
            self._counted("MailsNotSent", statistic="Sum", period=Duration.minutes(5)),
            threshold=1,
            periods=4,
        )
        # SES's own rates, over a number of mails that it chooses, of all mails of the account: it reviews accounts at
        # 5 % bounces or 0.1 % complaints, and may end their sending.
        for name, metric, threshold in (
            ("mails-bounce", "Reputation.BounceRate", 0.05),
            ("mails-complained-about", "Reputation.ComplaintRate", 0.001),
        ):
            self._alarm(
                name,
                "So many mails bounce, or are complained about, that SES reviews the account.",
                cloudwatch.Metric(
                    namespace="AWS/SES", metric_name=metric, statistic="Maximum", period=Duration.hours(1)
                ),
                threshold=threshold,
            )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        for_minutes: tuple[int, int] | None = None,
        periods: int = 1,
        below: bool = False,
        rolls_back: bool = False,
    ) -> None:
        """Create an alarm for a metric at or above the threshold; with `below`, for one below it.

        `for_minutes` is (minutes in breach, minutes evaluated); without it, all of the last `periods` must be in
        breach. Missing data counts as good, but with `below` as a breach.
        """
        if isinstance(metric, cloudwatch.MathExpression) and not self._stage.has_metric_math:
            return
        bad, looked_at = for_minutes or (periods, periods)
        operators, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.title() for part in name.split("-")),
            # Stage names contain no dot, so alarms of two stages never share a name.
            alarm_name=f"AdmitOne.{self._stage.name}.{name}",
            alarm_description=f"{description} See docs/operations.md, {name}.",
            metric=metric,
            threshold=threshold,
            datapoints_to_alarm=bad,
            evaluation_periods=looked_at,
            comparison_operator=(
                operators.LESS_THAN_THRESHOLD if below else operators.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=missing.BREACHING if below else missing.NOT_BREACHING,
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        self._alarms.append(alarm)
        if rolls_back:
            self.rollback_alarms.append(alarm)

    def _counted(self, name: str, *, statistic: str, period: Duration, label: str | None = None) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"stage": self._stage.name},
            statistic=statistic,
            period=period,
            label=label,
        )

    def _draw(self, api: apigateway.IHttpApi) -> None:
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=f"AdmitOne-{self._stage.name}",
            default_interval=Duration.days(1),
            period_override=cloudwatch.PeriodOverride.INHERIT,
        )
        dashboard.add_widgets(self._business_day())
        dashboard.add_widgets(*self._business_graphs())
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", width=24, height=6, alarms=self._alarms))
        dashboard.add_widgets(*self._call_graphs(api))
        dashboard.add_widgets(*self._load_graphs())

    @property
    def _money(self) -> str:
        return f"Money captured, {self._stage.currency.upper()}"

    def _business_day(self) -> cloudwatch.SingleValueWidget:
        day = Duration.days(1)
        return cloudwatch.SingleValueWidget(
            title="A business day",
            width=24,
            height=4,
            metrics=[
                *(self._counted(name, statistic="Sum", period=day) for name in ORDER_METRICS),
                self._counted("MoneyCaptured", statistic="Sum", period=day, label=self._money),
                self._counted("PaymentToTicket", statistic="p50", period=day, label="Payment to ticket, s (median)"),
            ],
        )

    def _business_graphs(self) -> Iterator[cloudwatch.GraphWidget]:
        hour, five = Duration.hours(1), Duration.minutes(5)
        yield _graph("Orders", [self._counted(name, statistic="Sum", period=five) for name in ORDER_METRICS])
        yield _graph(
            self._money,
            [
                self._counted("MoneyCaptured", statistic="Sum", period=hour, label=self._money),
                self._counted("MoneyPaidOut", statistic="Sum", period=hour, label="Sent to sellers"),
            ],
        )
        yield _graph(
            "From payment to ticket, seconds",
            [
                self._counted("PaymentToTicket", statistic=statistic, period=five, label=statistic)
                for statistic in ("p50", "p99")
            ],
        )
        yield _graph(
            "Repairs, and the oldest authorisation in seconds (right)",
            [
                self._counted(name, statistic="Sum", period=five)
                for name in (
                    *(
                        "PaymentsDue",
                        "PaymentsRepaired",
                        "OrdersSwept",
                        "RepairsFailed",
                        "EventsNotHandled",
                        "EventsNotPublished",
                    ),
                    *("RefundsFailed", "RefundsPending", "RefundsOverdue", "RefundRequestsUnanswered", "LedgerDiffers"),
                    *("PayoutLooks", "PayoutsOverdue", "ReversalsPending"),
                )
            ],
            right=[self._counted("OldestAuthorization", statistic="Maximum", period=five)],
        )
        yield _graph("Mails", [self._counted(name, statistic="Sum", period=five) for name in MAIL_METRICS])

    def _call_graphs(self, api: apigateway.IHttpApi) -> Iterator[cloudwatch.GraphWidget]:
        five = Duration.minutes(5)
        yield _graph(
            "Requests",
            [
                api.metric_count(period=MINUTE, statistic="Sum", label="requests"),
                api.metric_client_error(period=MINUTE, statistic="Sum", label="4xx"),
                api.metric_server_error(period=MINUTE, statistic="Sum", label="5xx"),
            ],
        )
        yield _graph(
            "Latency, ms",
            [api.metric_latency(period=MINUTE, statistic=each, label=each) for each in ("p50", "p99")],
        )
        yield _graph(
            "Functions: errors",
            [each.metric_errors(period=five, label=_name(each)) for each in self._functions],
        )
        yield _graph(
            "Functions: duration p99, ms",
            [each.metric_duration(period=five, statistic="p99", label=_name(each)) for each in self._functions],
        )

    def _load_graphs(self) -> Iterator[cloudwatch.GraphWidget]:
        five = Duration.minutes(5)
        yield _graph(
            "Functions running at once",
            [
                each.metric("ConcurrentExecutions", period=five, statistic="Maximum", label=_name(each))
                for each in self._functions
            ],
        )
        yield _graph(
            "Queues: oldest message, s",
            [
                each.metric_approximate_age_of_oldest_message(period=five, statistic="Maximum", label=_name(each))
                for each in self._queues
            ],
        )
        yield _graph(
            "Dead letters",
            [
                each.metric_approximate_number_of_messages_visible(period=five, statistic="Maximum", label=_name(each))
                for each in self._dead_letters
            ],
        )
        yield _graph(
            "Tables: units written",
            [
                each.metric_consumed_write_capacity_units(period=five, statistic="Sum", label=_name(each))
                for each in self._tables
            ],
        )


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, right: Sequence[cloudwatch.IMetric] = ()
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, width=6, height=6, left=[*metrics], right=[*right])


def _sum(metrics: Sequence[cloudwatch.IMetric], *, label: str) -> cloudwatch.MathExpression:
    names = {f"m{number}": metric for number, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        expression=" + ".join(f"FILL({name}, 0)" for name in names), using_metrics=names, period=MINUTE, label=label
    )


def _crashes(functions: Sequence[lambda_.IFunction]) -> cloudwatch.MathExpression:
    return _sum([function.metric_errors(period=MINUTE, statistic="Sum") for function in functions], label="crashes")


def _name(construct: IConstruct) -> str:
    """Return a readable name: `Orders/Events/DeadLetters` becomes `orders-events-dead-letters`; repeats are dropped."""
    stack = Stack.of(construct).node.path
    path = construct.node.path.removeprefix(f"{stack}/").removesuffix("/Function").removesuffix("/Table")
    parts = dict.fromkeys(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", part).lower() for part in path.split("/"))
    return "-".join(parts)
