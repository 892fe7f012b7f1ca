"""The functions: what each runs, with which settings, and where its failures go."""

import ast
from typing import Any

import pytest

from tests.synthesized import ROOT
from tests.template.reading import Template

USUAL = {
    "STAGE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOG_LEVEL",
}
PAYMENTS = {"TABLE_NAME", "STRIPE_SECRET_ARN"}
RELAY = {"EVENT_BUS_NAME", "EVENT_SOURCE", "RELAY_DLQ_URL"}
SCHEDULES = {"SCHEDULE_GROUP", "EXPIRE_FUNCTION_ARN", "SCHEDULER_ROLE_ARN", "SCHEDULE_DLQ_ARN"}

# handler, time-out in seconds, settings
FUNCTIONS: dict[str, tuple[str, int, set[str]]] = {
    "auth api": (
        "functions.auth.api.handler",
        10,
        {"TABLE_NAME", "JWT_SECRET_ARN", "EDGE_SECRET_ARN", "SESSION_COOKIE"},
    ),
    "auth authorizer": ("functions.auth.authorizer.handler", 5, {"JWT_SECRET_ARN"}),
    "tickets api": ("functions.tickets.api.handler", 10, {"TABLE_NAME", "CURRENCY"}),
    "tickets listener": ("functions.tickets.listener.handler", 10, {"TABLE_NAME"}),
    "tickets relay": ("shared.relay.handler", 30, RELAY),
    "orders api": ("functions.orders.api.handler", 10, {"TABLE_NAME", "ORDER_WINDOW_SECONDS"}),
    "orders listener": ("functions.orders.listener.handler", 10, {"TABLE_NAME"}),
    "orders sweep": ("functions.orders.sweep.handler", 60, {"TABLE_NAME"}),
    "orders relay": ("shared.relay.handler", 30, RELAY),
    "expiration listener": ("functions.expiration.listener.handler", 10, {"EVENT_BUS_NAME", *SCHEDULES}),
    "expiration expire": ("functions.expiration.expire.handler", 10, {"EVENT_BUS_NAME"}),
    "payments api": ("functions.payments.api.handler", 29, PAYMENTS),
    "payments webhook": ("functions.payments.webhook.handler", 29, PAYMENTS),
    "payments listener": ("functions.payments.listener.handler", 30, PAYMENTS),
    "payments reconciler": ("functions.payments.reconciler.handler", 120, PAYMENTS),
    "payments relay": ("shared.relay.handler", 30, RELAY),
}
# Called by a clock and not waited for.
ASYNCHRONOUS = {"orders sweep", "expiration expire", "payments reconciler"}

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_these_are_the_functions_their_time_and_their_settings(aws: Template) -> None:
    assert {
        name: (function["Handler"], function["Timeout"], {*function["Environment"]["Variables"]} - USUAL)
        for name, (_, function) in aws.functions().items()
    } == FUNCTIONS


@each_function
def test_a_functions_handler_exists(name: str) -> None:
    module, _, handler = FUNCTIONS[name][0].rpartition(".")
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(source.read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} | {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert handler in defined


@each_function
def test_a_function_runs_on_the_python_that_its_bytecode_is_for(aws: Template, name: str) -> None:
    assert aws.function(name)["Runtime"] == "python3.13"
    assert aws.function(name)["Architectures"] == ["arm64"]


@each_function
def test_a_function_logs_to_a_group_of_its_own_that_forgets(aws: Template, name: str) -> None:
    group = aws.function(name)["LoggingConfig"]["LogGroup"]
    assert aws.properties(group)["RetentionInDays"] == 14
    others = [aws.function(other)["LoggingConfig"]["LogGroup"] for other in FUNCTIONS if other != name]
    assert group not in others


@each_function
def test_a_function_knows_its_stage_and_service(aws: Template, name: str) -> None:
    variables = aws.function(name)["Environment"]["Variables"]
    assert variables["STAGE"] == "dev"
    assert variables["POWERTOOLS_SERVICE_NAME"] == name.split()[0]


def test_what_nobody_waits_for_leaves_its_failures_in_a_queue(aws: Template) -> None:
    with_failures = {name for name, (_, function) in aws.functions().items() if "DeadLetterConfig" in function}
    assert with_failures == ASYNCHRONOUS
    for name in ASYNCHRONOUS:
        queue = aws.properties(aws.function(name)["DeadLetterConfig"]["TargetArn"])
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_the_sweep_and_the_reconciler_run_every_five_minutes_and_a_missed_call_is_kept(aws: Template) -> None:
    schedules = {
        aws.name_of_function(schedule["Target"]["Arn"]): schedule
        for schedule in aws.all_of("AWS::Scheduler::Schedule").values()
    }
    assert set(schedules) == {"orders sweep", "payments reconciler"}
    for name, schedule in schedules.items():
        assert schedule["ScheduleExpression"] == "rate(5 minutes)"
        failures = aws.function(name)["DeadLetterConfig"]["TargetArn"]
        assert schedule["Target"]["DeadLetterConfig"]["Arn"] == failures


def test_expiration_has_a_schedule_group_of_its_own(aws: Template) -> None:
    (group,) = aws.all_of("AWS::Scheduler::ScheduleGroup")
    assert aws.function("expiration listener")["Environment"]["Variables"]["SCHEDULE_GROUP"] == {"Ref": group}


def test_a_deadline_that_cannot_be_told_lies_in_one_queue_whether_schedule_or_function_failed(aws: Template) -> None:
    variables = aws.function("expiration listener")["Environment"]["Variables"]
    assert variables["SCHEDULE_DLQ_ARN"] == aws.function("expiration expire")["DeadLetterConfig"]["TargetArn"]
    assert aws.name_of_function(variables["EXPIRE_FUNCTION_ARN"]) == "expiration expire"


def test_the_signing_key_is_made_by_aws_and_stripes_keys_begin_empty(aws: Template) -> None:
    secrets = {aws.say({"Ref": name}): secret for name, secret in aws.all_of("AWS::SecretsManager::Secret").items()}
    assert set(secrets) == {"Auth/SigningKey", "Auth/EdgeProof", "Payments/StripeKeys"}
    for name in ("Auth/SigningKey", "Auth/EdgeProof"):
        assert secrets[name]["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    empty: dict[str, Any] = dict(secrets["Payments/StripeKeys"])
    assert empty["SecretString"] == '{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'


def test_the_stack_tells_what_an_operator_needs(aws: Template) -> None:
    assert set(aws.content["Outputs"]) == {
        "Url",
        "ApiUrl",
        "ApiId",
        "EdgeSecretName",
        "StripeSecretName",
        "RollbackAlarms",
    }
