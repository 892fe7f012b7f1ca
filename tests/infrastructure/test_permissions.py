"""Permissions: every permission of every role is listed in tests/support/grants.py, so new ones show in review."""

import re
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.infrastructure.template import Template, as_list
from tests.support.grants import CLOCKS, GRANTS

# IAM has no narrower resource for these.
ON_EVERYTHING = {"dynamodb:ListStreams"}

# The resources that CDK adds to upload the client's files to their bucket, and to empty it.
COPIERS = {
    "Custom::S3AutoDeleteObjectsCustomResourceProvider/Role",
    "Custom::CDKBucketDeployment8693BB64968944B69AAFB0CC9EB8756C/ServiceRole",
}

PERSONAL_DATA = {f"{service}/PersonalData/Function" for service in ("Tickets", "Orders", "Payments")}
"""The functions that Auth asks what their services keep about a user."""

each_function = pytest.mark.parametrize("name", GRANTS)


def _grants(template: Template, role: object) -> set[str]:
    return {
        f"{action} on {template.say(resource)}{_condition(statement)}"
        for statement in template.statements(role)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def _condition(statement: dict[str, Any]) -> str:
    conditions = dict(statement.get("Condition", {}))
    every = conditions.pop("ForAllValues:StringEquals", {})
    assert conditions.pop("Null", {}) == dict.fromkeys(every, "false")  # ForAllValues alone holds for no value at all
    one = conditions.pop("StringEquals", {})
    assert not conditions
    assert "events:source" not in one, "the key has several values"
    return "".join(f" if {key} is {value}" for key, value in one.items()) + "".join(
        f" if every {key} is {value}" for key, value in every.items()
    )


def _role_grants(template: Template, name: str) -> set[str]:
    return _grants(template, template.function(name)["Role"])


def test_every_function_is_listed_in_grants(aws: Template) -> None:
    assert set(aws.functions()) == set(GRANTS)


@each_function
def test_roles_allow_their_grants_and_own_logs(aws: Template, name: str) -> None:
    group = aws.say(aws.function(name)["LoggingConfig"]["LogGroup"])
    logs = {f"logs:CreateLogStream on {group}", f"logs:PutLogEvents on {group}"}
    assert _role_grants(aws, name) == GRANTS[name] | logs


def test_the_upload_function_touches_only_the_client_bucket(aws: Template) -> None:
    policies = [each for each in aws.all_of("AWS::IAM::Policy").values() if aws.say(each["Roles"][0]) in COPIERS]
    resources = {
        aws.say(resource)
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in as_list(statement["Resource"])
    }
    ours = {each for each in resources if "cdk-" not in each}
    assert ours == {"Edge/Files", "Edge/Files/*"}


def test_every_role_is_listed(aws: Template) -> None:
    functions = {aws.say(function["Role"]) for _, function in aws.functions().values()}
    roles = {aws.say({"Ref": role}) for role in aws.all_of("AWS::IAM::Role")}
    assert roles == functions | CLOCKS.keys() | COPIERS
    assert not aws.all_of("AWS::IAM::ManagedPolicy")
    assert not aws.all_of("AWS::IAM::User")


def test_resource_policies_allow_only_what_is_listed(aws: Template) -> None:
    allowed = {
        (statement["Principal"]["Service"], action, aws.say(statement["Resource"]).rpartition("/")[2])
        for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Events::EventBusPolicy")
        for policy in aws.all_of(kind).values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }
    rules = {
        ("events.amazonaws.com", action, queue)
        for action in ("sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl")
        for queue in ("Queue", "DeadLetters")
        if (action, queue) not in {("sqs:GetQueueAttributes", "DeadLetters"), ("sqs:GetQueueUrl", "DeadLetters")}
    }
    assert allowed == {*rules, ("cloudwatch.amazonaws.com", "sns:Publish", "Topic")}


TIMERS = ("scheduler:CreateSchedule", "scheduler:DeleteSchedule")


def test_each_function_has_its_own_role(aws: Template) -> None:
    roles = Counter(str(function["Role"]) for _, function in aws.functions().values())
    assert set(roles.values()) == {1}


@each_function
def test_only_lambda_assumes_a_functions_role(aws: Template, name: str) -> None:
    trust = aws.properties(aws.function(name)["Role"])["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"Service": "lambda.amazonaws.com"}]


def test_only_functions_for_sellers_money_read_its_key(aws: Template) -> None:
    """The key that can make accounts and transfers; they cannot read the key of all other calls to Stripe."""
    readers = {
        secret: {name for name in GRANTS if f"secretsmanager:GetSecretValue on {secret}" in _role_grants(aws, name)}
        for secret in ("Payments/Payouts/PayoutKeys", "Payments/StripeKeys")
    }
    assert readers["Payments/Payouts/PayoutKeys"] == {
        *("payments payouts_api", "payments payouts_webhook", "payments payout_worker"),
    }
    assert not readers["Payments/Payouts/PayoutKeys"] & readers["Payments/StripeKeys"]


@each_function
def test_a_function_touches_nothing_of_another_service(aws: Template, name: str) -> None:
    service = name.split()[0].title()
    for grant in _role_grants(aws, name):
        action, resource = grant.split(" if ")[0].split(" on ")
        allowed_outside = (
            (action == "events:PutEvents" and resource == "Bus")
            or (action in TIMERS and f":schedule/{service}/" in resource)
            or (action in ON_EVERYTHING and resource == "*")
            or (action == "ses:SendEmail" and f"/{service}/" in resource)
            or (action == "lambda:InvokeFunction" and service == "Auth" and resource in PERSONAL_DATA)
        )
        assert allowed_outside or resource.startswith(f"{service}/"), grant


def test_no_statement_allows_an_action_on_all_resources(aws: Template) -> None:
    for policy in aws.all_of("AWS::IAM::Policy").values():
        if {aws.say(role) for role in policy["Roles"]} <= COPIERS:
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions = as_list(statement["Action"])
            assert not any("*" in action for action in actions)
            if "*" in as_list(statement["Resource"]):
                assert set(actions) <= ON_EVERYTHING


def test_a_service_publishes_only_under_its_own_name(aws: Template) -> None:
    for name in GRANTS:
        publishes = {grant for grant in _role_grants(aws, name) if grant.startswith("events:PutEvents")}
        assert publishes <= {f"events:PutEvents on Bus if every events:source is admit-one.{name.split()[0]}"}


@pytest.mark.parametrize("name", CLOCKS)
def test_schedule_roles_allow_only_their_grants(aws: Template, name: str) -> None:
    """They can be assumed for this account only."""
    (role,) = (role for role in aws.all_of("AWS::IAM::Role") if aws.say({"Ref": role}) == name)
    assert _grants(aws, {"Ref": role}) == CLOCKS[name]
    (trust,) = aws.properties({"Ref": role})["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_only_expirations_schedule_group_invokes_expire(aws: Template) -> None:
    role = aws.function("expiration listener")["Environment"]["Variables"]["SCHEDULER_ROLE_ARN"]
    (trust,) = aws.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert aws.say(trust["Condition"]["StringEquals"]["aws:SourceArn"]) == "Expiration/Deadlines"


def test_queues_reject_unencrypted_calls(aws: Template) -> None:
    guarded = {
        str(queue)
        for policy in aws.all_of("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for queue in policy["Queues"]
    }
    assert guarded == {str({"Ref": queue}) for queue in aws.all_of("AWS::SQS::Queue")}


def _call_as(module: str, operation: str, *, service: str = "dynamodb", **request: object) -> None:
    client = boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}),
    )
    exec("getattr(client, operation)(**request)", {"__name__": module, **locals()})  # noqa: S102


def test_a_call_beyond_the_grants_fails_in_tests_as_on_aws() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        _call_as("functions.tickets.listener", "delete_item", TableName="Tickets", Key={"pk": {"S": "x"}})
    with pytest.raises(ClientError, match="AccessDenied"):
        _call_as("functions.orders.sweep", "query", TableName="Orders", IndexName="other")
    delete = {"Delete": {"TableName": "Orders", "Key": {"pk": {"S": "x"}}}}
    with pytest.raises(ClientError, match="AccessDenied"):
        _call_as("functions.orders.sweep", "transact_write_items", TransactItems=[delete])


def _put_events_as(module: str, *sources: str) -> None:
    entries = [{"Source": source, "DetailType": "order:created", "Detail": "{}"} for source in sources]
    _call_as(module, "put_events", service="events", Entries=entries)


def test_events_of_another_source_are_refused_in_tests_as_on_aws() -> None:
    """All entries of a call must have the source of the service; IAM compares the set of their sources."""
    with pytest.raises(EndpointConnectionError):  # allowed
        _put_events_as("functions.expiration.expire", "admit-one.expiration", "admit-one.expiration")
    with pytest.raises(ClientError, match="AccessDenied"):
        _put_events_as("functions.expiration.expire", "admit-one.orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        _put_events_as("functions.expiration.expire", "admit-one.expiration", "admit-one.orders")
    with pytest.raises(ClientError, match="AccessDenied"):
        _put_events_as("functions.expiration.expire")


def test_a_stage_without_a_sender_allows_no_mails(without_mail: Template) -> None:
    functions = set(without_mail.functions())
    assert functions == GRANTS.keys() - {"auth mail_sender", "auth feedback"}
    assert not any(re.search("ses:|Mails", grant) for name in functions for grant in _role_grants(without_mail, name))


def _send_email_as(module: str, sender: str) -> None:
    _call_as(
        module,
        "send_email",
        service="sesv2",
        FromEmailAddress=sender,
        Destination={"ToAddresses": ["ada@example.com"]},
        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        ConfigurationSetName="mails",
    )


def test_a_mail_from_another_address_is_refused_in_tests_as_on_aws() -> None:
    with pytest.raises(EndpointConnectionError):  # allowed
        _send_email_as("functions.auth.mail_sender", "Admit One <mail@tickets.example.com>")
    with pytest.raises(ClientError, match="AccessDenied"):
        _send_email_as("functions.auth.api", "Admit One <boss@tickets.example.com>")
    with pytest.raises(ClientError, match="AccessDenied"):
        _send_email_as("functions.orders.api", "Admit One <mail@tickets.example.com>")
