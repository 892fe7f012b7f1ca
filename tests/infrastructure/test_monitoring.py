"""Monitoring: which resources have an alarm, where it notifies, and what the dashboard shows."""

import ast
import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cdk import monitoring
from cdk.stages import read_stage
from operations import ledger
from shared import telemetry
from tests.infrastructure.template import Template
from tests.support.synth import ROOT, synthesize_stage


def _alarms(template: Template) -> dict[str, dict[str, Any]]:
    alarms = template.all_of("AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"].split(".", 2)[2]: alarm for alarm in alarms}


def _watched(template: Template, metric: str) -> dict[str, dict[str, Any]]:
    """Return the alarms on one metric, by the logical id of the resource that it measures."""
    return {
        dimension["Value"].get("Ref") or dimension["Value"]["Fn::GetAtt"][0]: alarm
        for alarm in _alarms(template).values()
        if alarm.get("MetricName") == metric
        for dimension in alarm["Dimensions"]
        if isinstance(dimension["Value"], dict)
    }


def _consumed(template: Template) -> set[str]:
    sources = (mapping["EventSourceArn"] for mapping in template.all_of("AWS::Lambda::EventSourceMapping").values())
    return {source["Fn::GetAtt"][0] for source in sources} & set(template.all_of("AWS::SQS::Queue"))


def test_every_dead_letter_queue_alarms_on_its_first_message(aws: Template) -> None:
    watched = _watched(aws, "ApproximateNumberOfMessagesVisible")
    assert set(watched) == set(aws.all_of("AWS::SQS::Queue")) - _consumed(aws)
    for alarm in watched.values():
        assert (alarm["Threshold"], alarm["DatapointsToAlarm"], alarm["Period"]) == (1, 1, 60)
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_a_queue_with_a_stalled_consumer_raises_an_alarm(aws: Template) -> None:
    assert set(_watched(aws, "ApproximateAgeOfOldestMessage")) == _consumed(aws)


def test_every_throttled_function_raises_an_alarm(aws: Template) -> None:
    assert set(_watched(aws, "Throttles")) == {function for function, _ in aws.functions().values()}


def test_every_relay_that_falls_behind_raises_an_alarm(aws: Template) -> None:
    relays = {logical_id for name, (logical_id, _) in aws.functions().items() if name.endswith(" relay")}
    assert set(_watched(aws, "IteratorAge")) == relays


def test_every_throttled_table_raises_an_alarm(aws: Template) -> None:
    metrics = [str(alarm["Metrics"]) for name, alarm in _alarms(aws).items() if name.endswith("-table-throttled")]
    for table in aws.all_of("AWS::DynamoDB::Table"):
        (watching,) = (text for text in metrics if table in text)
        assert "ReadThrottleEvents" in watching
        assert "WriteThrottleEvents" in watching


def test_every_throttled_index_raises_an_alarm(aws: Template) -> None:
    """The table's own metrics leave out its global secondary indexes."""
    watched = {
        (metric["Dimensions"][1]["Value"]["Ref"], metric["Dimensions"][0]["Value"], metric["MetricName"])
        for name, alarm in _alarms(aws).items()
        if name.endswith("-index-throttled")
        for metric in (each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each)
        if [each["Name"] for each in metric["Dimensions"]] == ["GlobalSecondaryIndexName", "TableName"]
    }
    assert watched == {
        (table, index["IndexName"], metric)
        for table, properties in aws.all_of("AWS::DynamoDB::Table").items()
        for index in properties.get("GlobalSecondaryIndexes", [])
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
    }


def test_an_event_that_fails_for_twenty_minutes_raises_an_alarm(aws: Template) -> None:
    """A queue's age does not show it: SQS leaves out messages that were received three times."""
    alarm = _alarms(aws)["events-keep-failing"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 20 * 60
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    longest = max(aws.properties({"Ref": queue})["VisibilityTimeout"] for queue in _consumed(aws))
    assert alarm["Period"] > longest, "each period has an attempt"


def test_asynchronous_functions_raise_an_alarm_on_errors(aws: Template) -> None:
    alarms = _alarms(aws)
    watched = f"{alarms['functions-crash']['Metrics']} {alarms['workers-crash']['Metrics']}"
    unattended = {
        logical_id
        for name, (logical_id, _) in aws.functions().items()
        if name.split()[1] not in {"api", "authorizer", "payouts_api", "payouts_webhook", "personal_data", "webhook"}
    }
    assert {function for function, _ in aws.functions().values() if function in watched} == unattended


def test_every_alarm_notifies_one_topic_and_also_when_it_is_over(aws: Template) -> None:
    (topic,) = aws.all_of("AWS::SNS::Topic")
    for alarm in _alarms(aws).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": topic}]


def test_missing_data_is_healthy_except_for_schedules_that_emit_always(aws: Template) -> None:
    breaching = {name for name, alarm in _alarms(aws).items() if alarm["TreatMissingData"] != "notBreaching"}
    assert breaching == {"reconciler-silent", "payout-finder-silent"}


def test_authorisations_alarm_two_days_before_they_expire(aws: Template) -> None:
    """An authorisation expires after seven days."""
    assert _alarms(aws)["authorizations-near-their-end"]["Threshold"] == 5 * 24 * 60 * 60


def test_no_subscription_without_an_address(aws: Template, tmp_path: Any) -> None:
    assert not aws.all_of("AWS::SNS::Subscription")
    template = Template(synthesize_stage(replace(read_stage("dev"), alarm_email="on-call@example.com"), tmp_path))
    (subscription,) = template.all_of("AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


def test_a_deployment_rolls_back_on_errors_and_slowness_only(aws: Template) -> None:
    """Alarms on backlogs, such as dead-letter queues, do not count: they may be older than the deployment."""
    named = re.findall(r"Monitoring(\w+?)[0-9A-F]{8}", json.dumps(aws.content["Outputs"]["RollbackAlarms"]))
    assert set(named) == {"Api5Xx", "ApiSlow", "FunctionsCrash", "EventsNotHandled", "EventsNotPublished"}
    assert len(named) <= 5, "CloudFormation watches five at most"
    assert read_stage("prod").rollback_minutes == 15
    assert read_stage("dev").rollback_minutes == 0


def _counted_in_code() -> Iterator[str]:
    """Return the metrics that functions count or measure, by the names in their code, and that of `make ledger`."""
    yield ledger.METRIC
    for source in [*(ROOT / "functions").rglob("*.py"), *(ROOT / "shared").glob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="count" | "measure"), args=[ast.Constant(value=str(name)), *_]):
                    yield name


def _shown(template: Template) -> str:
    (dashboard,) = template.all_of("AWS::CloudWatch::Dashboard").values()
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else json.dumps(part) for part in parts)


def test_the_dashboard_shows_every_metric_of_the_functions(aws: Template) -> None:
    pattern = rf'"{monitoring.NAMESPACE}","(\w+)","stage","dev"'
    assert set(re.findall(pattern, _shown(aws))) == set(_counted_in_code())


def test_every_alarm_is_on_a_metric_that_is_published(aws: Template) -> None:
    named = {alarm["MetricName"] for alarm in _alarms(aws).values() if alarm.get("Namespace") == monitoring.NAMESPACE}
    assert named <= set(_counted_in_code())
    assert named == {
        *(
            "EventsNotHandled",
            "EventsNotPublished",
            "PaymentsRepaired",
            "OrdersSwept",
            "RepairsFailed",
            "OldestAuthorization",
        ),
        *(
            "RefundsFailed",
            "RefundsPending",
            "RefundsOverdue",
            "RefundRequestsUnanswered",
            "MailsNotSent",
            "LedgerDiffers",
        ),
        *("PayoutLooks", "PayoutsOverdue", "ReversalsPending"),
    }


def test_alarms_and_functions_use_the_same_metric_names(aws: Template) -> None:
    assert monitoring.NAMESPACE == telemetry.NAMESPACE
    for alarm in _alarms(aws).values():
        if alarm.get("Namespace") == monitoring.NAMESPACE:
            assert alarm["Dimensions"] == [{"Name": "stage", "Value": "dev"}]


def test_the_dashboard_shows_business_above_health(aws: Template) -> None:
    shown = json.loads(re.sub(r'\{"(?:Ref|Fn::GetAtt)".*?\}', "x", _shown(aws)))
    titles = [widget["properties"].get("title") for widget in shown["widgets"]]
    assert titles[0] == "A business day"
    assert titles.index("Orders") < titles.index("Alarms") < titles.index("Requests")
    (alarms,) = (widget for widget in shown["widgets"] if widget["type"] == "alarm")
    assert len(alarms["properties"]["alarms"]) == len(_alarms(aws))


def _runbook() -> list[str]:
    """Return the alarms that have a row in docs/operations.md; `*` matches any text."""
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("## Alarms")[2].partition("\n## ")[0]
    return [name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]


def test_alarms_and_runbook_rows_correspond(aws: Template) -> None:
    rows, alarms = _runbook(), set(_alarms(aws))
    for alarm in alarms:
        matching = [row for row in rows if fnmatch.fnmatchcase(alarm, row)]
        assert len(matching) == 1, (alarm, matching)
    assert all(fnmatch.filter(alarms, row) for row in rows)
