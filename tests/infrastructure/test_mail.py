"""The sender of mails: its identity, its configuration set, and the links of mails."""

import copy
from pathlib import Path

import pytest

from cdk.stages import LOCAL, Stage
from functions.auth.mail_store import CLAIMED_FOR
from tests.infrastructure.template import Template
from tests.support.grants import FROM
from tests.support.synth import synthesize_stage

SENDING = "auth mail_sender"


def _variables(template: Template) -> dict[str, object]:
    found: dict[str, object] = template.function(SENDING)["Environment"]["Variables"]
    return found


def test_a_stage_without_a_sender_has_nothing_of_ses(without_mail: Template) -> None:
    """Nor the functions and queues of mails, which would cost polls."""
    assert not any(resource["Type"].startswith("AWS::SES::") for resource in without_mail.content["Resources"].values())
    assert SENDING not in without_mail.functions()
    assert "MAIL_QUEUE_URL" not in without_mail.function("auth api")["Environment"]["Variables"]
    assert not any("/Mail" in without_mail.say({"Ref": name}) for name in without_mail.content["Resources"])


def test_the_domain_is_signed_and_its_mails_are_tracked_by_nobody(aws: Template) -> None:
    (identity,) = aws.all_of("AWS::SES::EmailIdentity").values()
    assert identity["EmailIdentity"] == "tickets.example.com"
    assert identity["DkimAttributes"] == {"SigningEnabled": True}
    (configuration_set,) = aws.all_of("AWS::SES::ConfigurationSet").values()
    assert configuration_set["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    assert configuration_set["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    assert "TrackingOptions" not in configuration_set


def test_bounces_and_complaints_go_to_the_default_bus(aws: Template) -> None:
    (destination,) = aws.all_of("AWS::SES::ConfigurationSetEventDestination").values()
    assert aws.say(destination["ConfigurationSetName"]) == "Auth/Mail/ConfigurationSet"
    published = destination["EventDestination"]
    assert published["Enabled"]
    assert published["MatchingEventTypes"] == ["bounce", "complaint"]
    bus = aws.say(published["EventBridgeDestination"]["EventBusArn"])
    assert bus == "arn:Partition:events:Region:AccountId:event-bus/default"


def test_the_mailer_has_sender_and_configuration_set(aws: Template) -> None:
    variables = _variables(aws)
    assert variables["MAIL_FROM"] == FROM
    assert aws.say(variables["MAIL_CONFIGURATION_SET"]) == "Auth/Mail/ConfigurationSet"


def test_links_lead_to_cloudfront(aws: Template) -> None:
    assert aws.say(_variables(aws)["PUBLIC_ORIGIN"]) == "https://Edge/Distribution.DomainName"


def test_links_lead_to_the_stages_own_domain(tmp_path: Path) -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/one"
    stage = Stage(name="own", mail_from=FROM, domain_name="tickets.example.com", certificate_arn=certificate)
    template = Template(synthesize_stage(stage, tmp_path))
    assert _variables(template)["PUBLIC_ORIGIN"] == "https://tickets.example.com"


def test_links_of_the_local_stage_lead_to_the_edge_proxy(local: Template) -> None:
    assert _variables(local)["PUBLIC_ORIGIN"] == LOCAL.public_origin
    assert _variables(local)["MAIL_FROM"] == LOCAL.mail_from


def test_mails_are_encrypted_and_retried_for_a_day(aws: Template) -> None:
    """Messages contain the tokens of links."""
    url = aws.function("auth api")["Environment"]["Variables"]["MAIL_QUEUE_URL"]
    queue = aws.properties(url)
    assert queue["SqsManagedSseEnabled"]
    retries = queue["RedrivePolicy"]["maxReceiveCount"] - 1
    assert retries * queue["VisibilityTimeout"] >= 24 * 60 * 60
    assert CLAIMED_FOR.total_seconds() < queue["VisibilityTimeout"]
    assert aws.function(SENDING)["Timeout"] < CLAIMED_FOR.total_seconds()


@pytest.mark.parametrize("rate", [1, 14, 95, 200])
def test_all_senders_together_stay_within_sess_rate(rate: int, tmp_path: Path) -> None:
    template = Template(synthesize_stage(Stage(name="rate", mail_from=FROM, mails_per_second=rate), tmp_path))
    variables = _variables(template)
    mappings = template.all_of("AWS::Lambda::EventSourceMapping").values()
    sending = [each for each in mappings if template.name_of_function(each["FunctionName"]) == SENDING]
    assert all(each["BatchSize"] == 1 for each in sending)
    senders = sum(each["ScalingConfig"]["MaximumConcurrency"] for each in sending)
    per_second = senders * 1000 / int(str(variables["MAIL_MILLIS"]))
    assert 0.9 * rate <= per_second <= rate
    assert int(str(variables["MAIL_MILLIS"])) / 1000 < template.function(SENDING)["Timeout"] / 2


def test_feedback_is_that_of_the_stages_own_mails(aws: Template) -> None:
    """The account's other configuration sets publish on the same bus."""
    (rule,) = (rule for rule in aws.all_of("AWS::Events::Rule").values() if rule["EventBusName"] == "default")
    pattern = copy.deepcopy(rule["EventPattern"])
    (name,) = pattern["detail"]["mail"]["tags"].pop("ses:configuration-set")
    assert aws.say(name) == "Auth/Mail/ConfigurationSet"
    assert pattern == {
        "source": ["aws.ses"],
        "detail-type": ["Email Bounced", "Email Complaint Received"],
        "detail": {"mail": {"tags": {}}},
    }
    (target,) = rule["Targets"]
    assert aws.say(target["Arn"]) == "Auth/Mails/Bounces/Queue"
    assert aws.say(target["DeadLetterConfig"]["Arn"]) == "Auth/Mails/Bounces/DeadLetters"


@pytest.mark.parametrize(
    ("alarm", "metric", "threshold"),
    [("mails-bounce", "Reputation.BounceRate", 0.05), ("mails-complained-about", "Reputation.ComplaintRate", 0.001)],
)
def test_an_alarm_goes_off_where_ses_reviews_accounts(aws: Template, alarm: str, metric: str, threshold: float) -> None:
    (found,) = (
        each for each in aws.all_of("AWS::CloudWatch::Alarm").values() if each["AlarmName"].endswith(f".{alarm}")
    )
    assert (found["Namespace"], found["MetricName"], found["Threshold"]) == ("AWS/SES", metric, threshold)
