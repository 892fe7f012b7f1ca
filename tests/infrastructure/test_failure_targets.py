"""Every message, record and asynchronous call that can fail has a failure target."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.infrastructure.template import Template


def without_failure_target(template: Template) -> set[str]:
    """Return a short description of each resource that can lose a message, a record or a call silently."""
    return {
        *_mappings(template),
        *_rules(template),
        *_schedules(template),
        *_asynchronous(template),
    }


def _mappings(template: Template) -> Iterator[str]:
    for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values():
        source, reader = mapping["EventSourceArn"], template.name_of_function(mapping["FunctionName"])
        if "StreamArn" in str(source):
            if not mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
                yield f"stream of {reader}"
        elif not template.properties(source).get("RedrivePolicy", {}).get("deadLetterTargetArn"):
            yield f"queue of {reader}"


def _rules(template: Template) -> Iterator[str]:
    for name, rule in template.all_of("AWS::Events::Rule").items():
        if not all(target.get("DeadLetterConfig") for target in rule["Targets"]):
            yield f"rule {template.say({'Ref': name})}"


def _schedules(template: Template) -> Iterator[str]:
    for name, schedule in template.all_of("AWS::Scheduler::Schedule").items():
        if not schedule["Target"].get("DeadLetterConfig"):
            yield f"schedule {template.say({'Ref': name})}"
    # Schedules that are created at run time for each order: the settings of the function that creates them.
    for name, (_, function) in template.functions().items():
        variables = function["Environment"]["Variables"]
        if "SCHEDULER_ROLE_ARN" in variables and "SCHEDULE_DLQ_ARN" not in variables:
            yield f"schedules made by {name}"


def _asynchronous(template: Template) -> Iterator[str]:
    """Return the functions invoked asynchronously: not behind the API, fed by a mapping, or called by a function."""
    answered = {
        template.name_of_function(permission["FunctionName"])
        for permission in template.all_of("AWS::Lambda::Permission").values()
        if permission["Principal"] == "apigateway.amazonaws.com"
    }
    fed = {
        template.name_of_function(mapping["FunctionName"])
        for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values()
    }
    called = {
        template.name_of_function(value)
        for _, function in template.functions().values()
        for variable, value in function["Environment"]["Variables"].items()
        if variable.endswith("_FUNCTION")
    }
    for name, (_, function) in template.functions().items():
        if name not in answered | fed | called and not function.get("DeadLetterConfig"):
            yield f"calls of {name}"


def test_everything_that_can_fail_has_a_failure_target(aws: Template, local: Template) -> None:
    assert without_failure_target(aws) == set()
    assert without_failure_target(local) == set()


def test_dead_letter_queues_are_final_and_keep_14_days(aws: Template) -> None:
    """They have no dead-letter queue of their own, and the longest retention period that SQS allows."""
    fed = {str(mapping["EventSourceArn"]) for mapping in aws.all_of("AWS::Lambda::EventSourceMapping").values()}
    for name, queue in aws.all_of("AWS::SQS::Queue").items():
        if str({"Fn::GetAtt": [name, "Arn"]}) not in fed:
            assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
            assert "RedrivePolicy" not in queue


type Resources = dict[str, dict[str, Any]]


def _first(resources: Resources, kind: str, marker: str = "") -> dict[str, Any]:
    return next(
        resource["Properties"]
        for name, resource in sorted(resources.items())
        if resource["Type"] == kind and marker in name
    )


def _lose_a_stream(resources: Resources) -> None:
    del _first(resources, "AWS::Lambda::EventSourceMapping", "OrdersRelay")["DestinationConfig"]


def _lose_a_queue(resources: Resources) -> None:
    del _first(resources, "AWS::SQS::Queue", "PaymentsEventsQueue")["RedrivePolicy"]


def _lose_a_rule(resources: Resources) -> None:
    del _first(resources, "AWS::Events::Rule", "TicketsEvents")["Targets"][0]["DeadLetterConfig"]


def _lose_a_schedule(resources: Resources) -> None:
    del _first(resources, "AWS::Scheduler::Schedule", "Orders")["Target"]["DeadLetterConfig"]


def _lose_the_deadlines(resources: Resources) -> None:
    function = _first(resources, "AWS::Lambda::Function", "ExpirationListener")
    del function["Environment"]["Variables"]["SCHEDULE_DLQ_ARN"]


def _lose_a_call(resources: Resources) -> None:
    del _first(resources, "AWS::Lambda::Function", "PaymentsReconciler")["DeadLetterConfig"]


@pytest.mark.parametrize(
    ("break_it", "lost"),
    [
        (_lose_a_stream, "stream of orders relay"),
        (_lose_a_queue, "queue of payments listener"),
        (_lose_a_rule, "rule Tickets/Events/Orders"),
        (_lose_a_schedule, "schedule Orders/EveryFiveMinutes/Schedule"),
        (_lose_the_deadlines, "schedules made by expiration listener"),
        (_lose_a_call, "calls of payments reconciler"),
    ],
)
def test_a_missing_failure_target_is_found(aws: Template, break_it: Callable[[Resources], None], lost: str) -> None:
    broken = copy.deepcopy(aws.content)
    break_it(broken["Resources"])
    assert without_failure_target(Template(broken)) == {lost}
