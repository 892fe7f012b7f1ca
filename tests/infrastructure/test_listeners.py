"""Routing from the bus to the listeners: which events each gets, and the dead-letter queues of failed messages."""

from typing import Any

import pytest

from tests.infrastructure.template import Template

ORDER_EVENTS = [
    *("order:created", "order:awaiting-payment", "order:completed", "order:cancelled"),
    *("order:refund-requested", "order:refunded"),
]

WANTED: dict[str, list[dict[str, Any]]] = {
    "tickets listener": [
        {
            "source": ["admit-one.orders"],
            "detail-type": [*ORDER_EVENTS, "ticket:change-accepted", "ticket:change-declined"],
        }
    ],
    "orders listener": [
        {"source": ["admit-one.expiration"], "detail-type": ["expiration:completed"]},
        {
            "source": ["admit-one.payments"],
            "detail-type": [
                "payment:authorized",
                "payment:created",
                "payment:failed",
                "payment:partly-refunded",
                "payment:refunded",
            ],
        },
        {"source": ["admit-one.tickets"], "detail-type": ["ticket:created"]},
        {"source": ["admit-one.tickets"], "detail-type": ["ticket:change-requested"]},
        {
            "source": ["admit-one.tickets"],
            "detail-type": ["ticket:updated"],
            "detail": {"data": {"change": ["edited", "withdrawn"]}},
        },
    ],
    "expiration listener": [
        {"source": ["admit-one.orders"], "detail-type": ["order:created", "order:awaiting-payment"]}
    ],
    "payments listener": [{"source": ["admit-one.orders"], "detail-type": ORDER_EVENTS}],
    "auth mail_sender": [
        {"source": ["admit-one.orders"], "detail-type": ["order:completed", "order:refunded"]},
        {
            "source": ["admit-one.orders"],
            "detail-type": ["order:cancelled"],
            "detail": {"data": {"reason": ["payment_failed"]}},
        },
        {
            "source": ["admit-one.tickets"],
            "detail-type": ["ticket:updated"],
            "detail": {"data": {"change": ["sold", "refund-requested", "refunded"]}},
        },
        {"source": ["admit-one.payments"], "detail-type": ["payout:created", "payout:reversed"]},
    ],
}
BATCH_SIZES = {
    "tickets listener": 10,
    "orders listener": 10,
    "expiration listener": 10,
    "payments listener": 1,
    "auth mail_sender": 1,
}
FOR_A_DAY = {"payments listener", "auth mail_sender"}
"""The listeners that try an event for a day, because they call Stripe or SES."""

each_listener = pytest.mark.parametrize("listener", WANTED)


WORKERS = ["auth feedback", "orders expirer", "payments payout_worker", "payments settler"]


def _mappings(template: Template) -> dict[str, dict[str, Any]]:
    """Return the event source mapping of each function that reads a queue, without the mails of Auth's own routes."""
    return {
        template.name_of_function(mapping["FunctionName"]): mapping
        for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values()
        if "Queue" in str(mapping["EventSourceArn"]) and "Requests" not in str(mapping["EventSourceArn"])
    }


def _rules(template: Template, listener: str) -> list[dict[str, Any]]:
    queue = _mappings(template)[listener]["EventSourceArn"]
    return [
        rule
        for rule in template.all_of("AWS::Events::Rule").values()
        if any(target["Arn"] == queue for target in rule["Targets"])
    ]


def _dead_letters(template: Template, listener: str) -> object:
    queue = template.properties(_mappings(template)[listener]["EventSourceArn"])
    return queue["RedrivePolicy"]["deadLetterTargetArn"]


def test_only_these_functions_are_listeners(aws: Template) -> None:
    assert set(_mappings(aws)) == {*WANTED, *WORKERS}


@each_listener
def test_a_listener_gets_exactly_the_events_it_handles(aws: Template, listener: str) -> None:
    patterns = [rule["EventPattern"] for rule in _rules(aws, listener)]
    assert len(patterns) == len(WANTED[listener])
    assert all(pattern in patterns for pattern in WANTED[listener])


def test_every_rule_targets_a_listener(aws: Template) -> None:
    assert len(aws.all_of("AWS::Events::Rule")) == sum(map(len, WANTED.values())) + 1  # that of SES's feedback
    assert all(len(rule["Targets"]) == 1 for rule in aws.all_of("AWS::Events::Rule").values())


def test_every_rule_is_on_the_applications_own_bus(aws: Template) -> None:
    """Except that of SES's feedback: SES publishes on the account's default bus only."""
    (bus,) = aws.all_of("AWS::Events::EventBus")
    others = [rule for rule in aws.all_of("AWS::Events::Rule").values() if rule["EventBusName"] != {"Ref": bus}]
    assert [rule["EventBusName"] for rule in others] == ["default"]
    assert others == _rules(aws, "auth feedback")


@each_listener
def test_undelivered_events_go_to_the_listeners_dead_letters(aws: Template, listener: str) -> None:
    for rule in _rules(aws, listener):
        (target,) = rule["Targets"]
        assert target["DeadLetterConfig"]["Arn"] == _dead_letters(aws, listener)


@each_listener
def test_a_dead_letter_queue_keeps_messages_for_14_days(aws: Template, listener: str) -> None:
    assert aws.properties(_dead_letters(aws, listener))["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


@each_listener
def test_a_message_is_tried_five_times_or_for_a_day(aws: Template, listener: str) -> None:
    """A failed message is received again after the visibility timeout, so the last try is this much after the first."""
    queue = aws.properties(_mappings(aws)[listener]["EventSourceArn"])
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    if listener in FOR_A_DAY:
        assert (receives - 1) * queue["VisibilityTimeout"] >= 24 * 60 * 60
        assert receives <= 1000  # the maximum of SQS
    else:
        assert receives == 5


@each_listener
def test_a_queue_keeps_messages_for_14_days(aws: Template, listener: str) -> None:
    """A message in a dead-letter queue counts its days from when it was first sent."""
    queue = aws.properties(_mappings(aws)[listener]["EventSourceArn"])
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_no_backlog_can_use_up_the_accounts_concurrency(aws: Template) -> None:
    """Two is the least that Lambda accepts. The four queues of events leave two of a new account's ten to the API."""
    limits = {
        aws.name_of_function(mapping["FunctionName"]): mapping.get("ScalingConfig")
        for mapping in aws.all_of("AWS::Lambda::EventSourceMapping").values()
        if "StreamArn" not in str(mapping["EventSourceArn"])
    }
    assert limits == {function: {"MaximumConcurrency": 2} for function in [*WANTED, *WORKERS]}


def test_the_log_of_stripe_is_settled_though_stripe_is_down_for_a_day(aws: Template) -> None:
    queue = aws.properties(_mappings(aws)["payments settler"]["EventSourceArn"])
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    assert (receives - 1) * queue["VisibilityTimeout"] >= 24 * 60 * 60
    assert _mappings(aws)["payments settler"]["BatchSize"] == 1


@pytest.mark.parametrize("worker", WORKERS)
def test_workers_retry_single_messages(aws: Template, worker: str) -> None:
    mapping = _mappings(aws)[worker]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert aws.properties(mapping["EventSourceArn"])["VisibilityTimeout"] >= 6 * aws.function(worker)["Timeout"]


def test_only_expiration_waits_for_more_messages(aws: Template) -> None:
    """A timer may be set a second later; nobody waits for it."""
    waiting = {
        aws.name_of_function(mapping["FunctionName"]): mapping["MaximumBatchingWindowInSeconds"]
        for mapping in aws.all_of("AWS::Lambda::EventSourceMapping").values()
        if "MaximumBatchingWindowInSeconds" in mapping
    }
    assert waiting == {"expiration listener": 1}


@each_listener
def test_visibility_timeout_is_six_function_timeouts(aws: Template, listener: str) -> None:
    queue = aws.properties(_mappings(aws)[listener]["EventSourceArn"])
    assert queue["VisibilityTimeout"] >= 6 * aws.function(listener)["Timeout"]


@each_listener
def test_listeners_report_partial_batch_failures(aws: Template, listener: str) -> None:
    assert _mappings(aws)[listener]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@each_listener
def test_batch_size_fits_the_function_timeout(aws: Template, listener: str) -> None:
    assert _mappings(aws)[listener]["BatchSize"] == BATCH_SIZES[listener]


@each_listener
def test_only_the_listeners_own_rules_write_to_its_queues(aws: Template, listener: str) -> None:
    rules = {
        logical_id for logical_id, rule in aws.all_of("AWS::Events::Rule").items() if rule in _rules(aws, listener)
    }
    for queue in (_mappings(aws)[listener]["EventSourceArn"], _dead_letters(aws, listener)):
        senders = [
            statement
            for policy in aws.all_of("AWS::SQS::QueuePolicy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow" and statement["Resource"] == queue
        ]
        assert {statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0] for statement in senders} == rules
        assert {statement["Principal"]["Service"] for statement in senders} == {"events.amazonaws.com"}
