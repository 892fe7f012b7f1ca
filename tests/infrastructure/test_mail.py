"""The sender of mails: its identity, its configuration set, and the links of mails."""

from pathlib import Path

from cdk.stages import LOCAL, Stage
from tests.infrastructure.template import Template
from tests.support.grants import FROM
from tests.support.synth import synthesize_stage

SENDING = "auth api"


def _variables(template: Template) -> dict[str, object]:
    found: dict[str, object] = template.function(SENDING)["Environment"]["Variables"]
    return found


def test_a_stage_without_a_sender_has_nothing_of_ses(aws: Template) -> None:
    assert not any(resource["Type"].startswith("AWS::SES::") for resource in aws.content["Resources"].values())
    assert "MAIL_FROM" not in _variables(aws)
    assert "MAIL_CONFIGURATION_SET" not in _variables(aws)


def test_the_domain_is_signed_and_its_mails_are_tracked_by_nobody(with_mail: Template) -> None:
    (identity,) = with_mail.all_of("AWS::SES::EmailIdentity").values()
    assert identity["EmailIdentity"] == "tickets.example.com"
    assert identity["DkimAttributes"] == {"SigningEnabled": True}
    (configuration_set,) = with_mail.all_of("AWS::SES::ConfigurationSet").values()
    assert configuration_set["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    assert configuration_set["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    assert "TrackingOptions" not in configuration_set


def test_bounces_and_complaints_go_to_the_default_bus(with_mail: Template) -> None:
    (destination,) = with_mail.all_of("AWS::SES::ConfigurationSetEventDestination").values()
    assert with_mail.say(destination["ConfigurationSetName"]) == "Auth/Mail/ConfigurationSet"
    published = destination["EventDestination"]
    assert published["Enabled"]
    assert published["MatchingEventTypes"] == ["bounce", "complaint"]
    bus = with_mail.say(published["EventBridgeDestination"]["EventBusArn"])
    assert bus == "arn:Partition:events:Region:AccountId:event-bus/default"


def test_the_mailer_has_sender_and_configuration_set(with_mail: Template) -> None:
    variables = _variables(with_mail)
    assert variables["MAIL_FROM"] == FROM
    assert with_mail.say(variables["MAIL_CONFIGURATION_SET"]) == "Auth/Mail/ConfigurationSet"


def test_links_lead_to_cloudfront(aws: Template) -> None:
    """Also on a stage without a sender, which may get one."""
    assert aws.say(_variables(aws)["PUBLIC_ORIGIN"]) == "https://Edge/Distribution.DomainName"


def test_links_lead_to_the_stages_own_domain(tmp_path: Path) -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/one"
    stage = Stage(name="own", domain_name="tickets.example.com", certificate_arn=certificate)
    template = Template(synthesize_stage(stage, tmp_path))
    assert _variables(template)["PUBLIC_ORIGIN"] == "https://tickets.example.com"


def test_links_of_the_local_stage_lead_to_the_edge_proxy(local: Template) -> None:
    assert _variables(local)["PUBLIC_ORIGIN"] == LOCAL.public_origin
    assert _variables(local)["MAIL_FROM"] == LOCAL.mail_from
