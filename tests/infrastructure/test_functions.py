"""The functions: handler, settings, and failure targets."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk.stages import read_stage
from tests.infrastructure.functions import FUNCTIONS
from tests.infrastructure.template import Template
from tests.support.synth import ROOT, synthesize_stage

USUAL = {
    "STAGE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOG_LEVEL",
}
# Invoked asynchronously, by a schedule.
ASYNCHRONOUS = {"auth eraser", "orders sweep", "expiration expire", "payments reconciler", "payments payout_finder"}

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_functions_have_these_timeouts_and_settings(aws: Template) -> None:
    assert {
        name: (function["Handler"], function["Timeout"], {*function["Environment"]["Variables"]} - USUAL)
        for name, (_, function) in aws.functions().items()
    } == FUNCTIONS


@each_function
def test_every_handler_exists(name: str) -> None:
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
def test_the_runtime_matches_the_bytecode(aws: Template, name: str) -> None:
    assert aws.function(name)["Runtime"] == "python3.13"
    assert aws.function(name)["Architectures"] == ["arm64"]


@each_function
def test_each_function_has_its_own_log_group_with_retention(aws: Template, name: str) -> None:
    group = aws.function(name)["LoggingConfig"]["LogGroup"]
    assert aws.properties(group)["RetentionInDays"] == 14
    others = [aws.function(other)["LoggingConfig"]["LogGroup"] for other in FUNCTIONS if other != name]
    assert group not in others


@each_function
def test_only_warnings_of_lambda_itself_are_logged(aws: Template, name: str) -> None:
    """Lambda's START, END and REPORT lines would be half of all bytes."""
    logging = aws.function(name)["LoggingConfig"]
    levels = [logging[key] for key in ("LogFormat", "ApplicationLogLevel", "SystemLogLevel")]
    assert levels == ["JSON", "INFO", "WARN"]


@each_function
def test_each_function_knows_its_stage_and_service(aws: Template, name: str) -> None:
    variables = aws.function(name)["Environment"]["Variables"]
    assert variables["STAGE"] == "dev"
    assert variables["POWERTOOLS_SERVICE_NAME"] == name.split()[0]


def test_asynchronous_functions_have_failure_queues(aws: Template) -> None:
    with_failures = {name for name, (_, function) in aws.functions().items() if "DeadLetterConfig" in function}
    assert with_failures == ASYNCHRONOUS
    for name in ASYNCHRONOUS:
        queue = aws.properties(aws.function(name)["DeadLetterConfig"]["TargetArn"])
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_scheduled_functions_run_every_five_minutes(aws: Template) -> None:
    """Failed calls go to the function's dead-letter queue."""
    schedules = {
        aws.name_of_function(schedule["Target"]["Arn"]): schedule
        for schedule in aws.all_of("AWS::Scheduler::Schedule").values()
    }
    assert set(schedules) == {"auth eraser", "orders sweep", "payments reconciler", "payments payout_finder"}
    for name, schedule in schedules.items():
        assert schedule["ScheduleExpression"] == "rate(5 minutes)"
        failures = aws.function(name)["DeadLetterConfig"]["TargetArn"]
        assert schedule["Target"]["DeadLetterConfig"]["Arn"] == failures


def test_asynchronous_calls_are_tried_three_times_while_they_are_of_use(aws: Template) -> None:
    """A late run of a scheduled function would only double the next one; a late timer still frees a ticket."""
    configured = {
        aws.name_of_function(each["FunctionName"]): (each["MaximumEventAgeInSeconds"], each["MaximumRetryAttempts"])
        for each in aws.all_of("AWS::Lambda::EventInvokeConfig").values()
    }
    assert configured == {
        "auth eraser": (300, 2),
        "payments payout_finder": (300, 2),
        "orders sweep": (300, 2),
        "payments reconciler": (300, 2),
        "expiration expire": (6 * 60 * 60, 2),
    }
    assert configured.keys() == ASYNCHRONOUS


def test_expiration_has_its_own_schedule_group(aws: Template) -> None:
    (group,) = aws.all_of("AWS::Scheduler::ScheduleGroup")
    assert aws.function("expiration listener")["Environment"]["Variables"]["SCHEDULE_GROUP"] == {"Ref": group}


def test_timer_failures_share_one_dead_letter_queue(aws: Template) -> None:
    """The failures of the schedule and those of the function go to the same queue."""
    variables = aws.function("expiration listener")["Environment"]["Variables"]
    assert variables["SCHEDULE_DLQ_ARN"] == aws.function("expiration expire")["DeadLetterConfig"]["TargetArn"]
    assert aws.name_of_function(variables["EXPIRE_FUNCTION_ARN"]) == "expiration expire"


def test_aws_generates_the_signing_key_and_stripe_keys_are_empty(aws: Template) -> None:
    secrets = {aws.say({"Ref": name}): secret for name, secret in aws.all_of("AWS::SecretsManager::Secret").items()}
    assert set(secrets) == {"Auth/SigningKey", "Auth/EdgeProof", "Payments/StripeKeys", "Payments/Payouts/PayoutKeys"}
    for name in ("Auth/SigningKey", "Auth/EdgeProof"):
        assert secrets[name]["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    empty: dict[str, Any] = dict(secrets["Payments/StripeKeys"])
    assert empty["SecretString"] == '{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'
    empty = dict(secrets["Payments/Payouts/PayoutKeys"])
    assert empty["SecretString"] == '{"secretKey": "", "connectWebhookSecret": ""}'


def test_the_stack_outputs_what_operators_need(aws: Template) -> None:
    assert set(aws.content["Outputs"]) == {
        "Url",
        "ApiUrl",
        "ApiId",
        "EdgeSecretName",
        "StripeSecretName",
        "PayoutSecretName",
        "RollbackAlarms",
    }


def test_a_stage_reserves_no_concurrency_by_default(aws: Template) -> None:
    """Lambda refuses a reservation that leaves less than 100, so an account with ten can make none."""
    assert not any("ReservedConcurrentExecutions" in function for _, function in aws.functions().values())


def test_a_stage_reserves_concurrency_by_function(tmp_path: Path) -> None:
    reserved = {"auth-authorizer": 50, "payments-api": 40}
    stage = replace(read_stage("dev"), reserved_concurrency=reserved, listener_concurrency=100, settler_concurrency=5)
    template = Template(synthesize_stage(stage, tmp_path))
    assert {
        name: function["ReservedConcurrentExecutions"]
        for name, (_, function) in template.functions().items()
        if "ReservedConcurrentExecutions" in function
    } == {"auth authorizer": 50, "payments api": 40}
    concurrency = {
        template.name_of_function(mapping["FunctionName"]): mapping["ScalingConfig"]["MaximumConcurrency"]
        for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values()
        if "ScalingConfig" in mapping
    }
    assert (concurrency.pop("payments settler"), concurrency.pop("orders expirer")) == (5, 2)
    assert concurrency.pop("payments payout_worker") == 5
    assert [*concurrency.values()] == [100] * 4


def test_a_reservation_for_no_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no function is named orders-apy"):
        synthesize_stage(replace(read_stage("dev"), reserved_concurrency={"orders-apy": 1}), tmp_path)
